import { CODES } from '../../contract.ts';
import { occupy } from '../../hostile/flood.ts';
import type { Scenario } from '../../scenario.ts';

const CONNECTIONS = 500;

/** 500 clients request large pages and never read them. Answers that wait must count as memory, and must end. */
export const slowReaders: Scenario = {
  id: 'R21',
  title: '500 clients that never read their answers',
  fleet: { libraryRows: 5_000 },
  clients: (target) =>
    occupy(target, CONNECTIONS, (socket) => {
      socket.pause();
      const path = '/registry/library/v0.1/servers?limit=100';
      socket.write(`GET ${path} HTTP/1.1\r\nhost: localhost\r\n\r\n`.repeat(50));
    }),
  cause: { answer: ['connected', CODES.overloaded] },
};
