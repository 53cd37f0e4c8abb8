import { ADMIN_TOKEN, CODES } from '../../contract.ts';
import { flood } from '../../hostile/flood.ts';
import type { Scenario } from '../../scenario.ts';

const CLIENTS = 40;

/** Forty clients with an operator's token request forced syncs of every registry. One run must answer many. */
export const requestFlood: Scenario = {
  id: 'R19',
  title: 'forty clients request forced syncs',
  clients: (target) =>
    flood(target, CLIENTS, (number) => ({
      path: number % 2 === 0 ? '/v1/sync' : '/v1/registries/honest-1/sync',
      method: 'POST',
      headers: {
        authorization: `Bearer ${ADMIN_TOKEN}`,
        'content-type': 'application/json',
      },
      body: JSON.stringify({ force: true }),
    })),
  cause: { answer: [CODES.overloaded, '202'] },
};
