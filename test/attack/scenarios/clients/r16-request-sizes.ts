import { flood, type HostileRequest } from '../../hostile/flood.ts';
import type { Scenario } from '../../scenario.ts';

const CLIENTS = 30;
const PATHS = [
  '/registry/library/v0.1/servers?limit=1000000000',
  '/registry/library/v0.1/servers?limit=-1',
  '/registry/library/v0.1/servers?limit=1e9',
  `/registry/library/v0.1/servers?cursor=${'a'.repeat(12_000)}`,
  '/registry/library/v0.1/servers?cursor=%00%ff%fe',
  `/registry/library/v0.1/servers?search=${'%F0%9F%92%A5'.repeat(400)}`,
  '/registry/library/v0.1/servers?updated_since=0001-01-01T00:00:00Z&include_deleted=true',
  `/registry/library/v0.1/servers/${'%2e%2e%2f'.repeat(200)}/versions`,
  `/v1/registries/library/runs?limit=100000&cursor=${'9'.repeat(1_000)}`,
];

/** Limits, cursors, paths and headers of any size. The api must refuse each cheaply. */
export const requestSizes: Scenario = {
  id: 'R16',
  title: 'limits, cursors, paths and headers of any size',
  fleet: { libraryRows: 5_000 },
  clients: (target) =>
    flood(target, CLIENTS, (number): HostileRequest => {
      if (number % 5 === 0) return { path: '/', headers: { 'x-large': 'h'.repeat(15_000) } };
      return { path: PATHS[number % PATHS.length] ?? '/' };
    }),
  cause: { answer: ['bad-request', '400', '431'] },
};
