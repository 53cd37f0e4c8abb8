import { ADMIN_TOKEN, CODES } from '../../contract.ts';
import { flood, type HostileRequest, occupy } from '../../hostile/flood.ts';
import { pump, repeated } from '../../hostile/serve.ts';
import type { ClientTarget, Scenario } from '../../scenario.ts';

const CLIENTS = 100;
const ADDRESSES = 10;

const operator = {
  authorization: `Bearer ${ADMIN_TOKEN}`,
  'content-type': 'application/json',
};
const REQUESTS: readonly ((number: number) => HostileRequest)[] = [
  () => ({ path: '/v1/registries' }),
  (number) => ({ path: `/registry/library/v0.1/servers?search=none-${number}` }),
  () => ({ path: '/registry/library/v0.1/servers?limit=100' }),
  (number) => ({
    path: '/v1/sync',
    method: 'POST',
    headers: { authorization: `Bearer wrong-${number}` },
  }),
  () => ({
    path: '/v1/registries/drip-1/preview',
    method: 'POST',
    headers: operator,
    body: '{"wait":5}',
  }),
  () => ({ path: '/v1/sync', method: 'POST', headers: operator, body: '{"force":true}' }),
  () => ({ path: `/registry/library/v0.1/servers?cursor=${'a'.repeat(12_000)}` }),
  () => ({ path: '/queues', headers: { host: 'evil.example' } }),
];

/** A hundred clients from ten addresses do everything that clients can do. They are a part of the mixed attack. */
export const hundredClients: Scenario = {
  id: 'clients',
  title: 'a hundred clients at once',
  fleet: { libraryRows: 5_000 },
  cause: { answer: [CODES.overloaded, '200'] },
  clients: (target) =>
    Promise.all(
      Array.from({ length: CLIENTS }, (_, index) => {
        const localAddress = `127.1.0.${1 + (index % ADDRESSES)}`;
        return attack({ ...target, localAddress }, index);
      }),
    ),
};

function attack(target: ClientTarget, index: number): Promise<void> {
  const kind = index % (REQUESTS.length + 2);
  const request = REQUESTS[kind];
  if (request !== undefined) return flood(target, 1, request);
  const path = '/registry/library/v0.1/servers?limit=100';
  const text = `GET ${path} HTTP/1.1\r\nhost: localhost\r\n\r\n`;
  return occupy(target, 1, (socket) => {
    socket.pause();
    const isSlow = kind === REQUESTS.length;
    void pump(socket, repeated(isSlow ? 'GET /' : text), { pauseMs: isSlow ? 1_000 : 0 });
  });
}
