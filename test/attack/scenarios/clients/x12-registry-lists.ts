import { CODES } from '../../contract.ts';
import { flood } from '../../hostile/flood.ts';
import type { Scenario } from '../../scenario.ts';

const REGISTRIES = 10_000;
const CLIENTS = 20;

/** Twenty clients list 10,000 registries all the time. The list must be paged, and the api must shed load. */
export const registryLists: Scenario = {
  id: 'X12',
  title: 'twenty clients list 10,000 registries',
  registries: ({ directory }) =>
    Array.from({ length: REGISTRIES }, (_, index) => ({
      name: `many-${index}`,
      file: { path: `${directory}/none.json` },
      suspended: true,
    })),
  clients: (target) => flood(target, CLIENTS, () => ({ path: '/v1/registries' })),
  cause: { answer: [CODES.overloaded, '200'] },
};
