import { CODES } from '../../contract.ts';
import { occupy } from '../../hostile/flood.ts';
import { pump, repeated } from '../../hostile/serve.ts';
import type { Scenario } from '../../scenario.ts';

const CONNECTIONS = 20;
const REQUESTS_AT_ONCE = 200;

/** Clients send requests without reading answers. The api must stop reading from them, and must not keep answers. */
export const pipelining: Scenario = {
  id: 'R13',
  title: 'pipelined requests whose answers nobody reads',
  fleet: { libraryRows: 5_000 },
  clients: (target) => {
    const request =
      'GET /registry/library/v0.1/servers?limit=100 HTTP/1.1\r\nhost: localhost\r\n\r\n';
    return occupy(target, CONNECTIONS, (socket) => {
      socket.pause();
      void pump(socket, repeated(request.repeat(REQUESTS_AT_ONCE)));
    });
  },
  cause: { answer: ['connected', CODES.overloaded] },
};
