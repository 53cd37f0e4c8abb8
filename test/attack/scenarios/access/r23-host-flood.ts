import { flood } from '../../hostile/flood.ts';
import type { Scenario } from '../../scenario.ts';

const CLIENTS = 30;
const HOSTS = ['evil.example', 'localhost:1', '[::1', 'a'.repeat(8_000), '127.0.0.1@evil.example'];

/** Thirty clients send foreign, broken and very long hosts to all routes. Each must be refused cheaply. */
export const hostFlood: Scenario = {
  id: 'R23',
  title: 'thirty clients send foreign and broken hosts',
  clients: (target) =>
    flood(target, CLIENTS, (number) => ({
      path: ['/v1/registries', '/queues', '/metrics', '/'][number % 4] ?? '/',
      headers: { host: HOSTS[number % HOSTS.length] ?? '' },
    })),
  cause: { answer: ['host-refused', 'bad-request', '400', '403', '421'] },
};
