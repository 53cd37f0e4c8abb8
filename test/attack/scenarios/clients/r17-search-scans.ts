import { CODES } from '../../contract.ts';
import { flood } from '../../hostile/flood.ts';
import type { Scenario } from '../../scenario.ts';

const CLIENTS = 60;
const ROWS = 30_000;

/** Sixty clients search a large registry for texts that no row contains. Each search reads every row. */
export const searchScans: Scenario = {
  id: 'R17',
  title: 'sixty clients search 30,000 rows for what is not there',
  fleet: { libraryRows: ROWS },
  clients: (target) =>
    flood(target, CLIENTS, (number) => ({
      path: `/registry/library/v0.1/servers?search=${encodeURIComponent(`none-${number}-${'e'.repeat(number % 400)}`)}`,
    })),
  cause: { answer: [CODES.overloaded, '200'] },
};
