import { CODES } from '../../contract.ts';
import { flood } from '../../hostile/flood.ts';
import type { Scenario } from '../../scenario.ts';

const CLIENTS = 50;

/** Fifty clients guess tokens, some of them very long. Guesses must be cheap, and must not lock out anybody else. */
export const tokenFloods: Scenario = {
  id: 'R22',
  title: 'fifty clients guess tokens',
  clients: (target) =>
    flood(target, CLIENTS, (number) => ({
      path: '/v1/sync',
      method: 'POST',
      headers: {
        authorization: `Bearer ${String(number).repeat(number % 3 === 0 ? 1_000 : 1)}`,
        'content-type': 'application/json',
      },
      body: '{}',
    })),
  cause: { answer: ['unauthorized', 'too-many-attempts', CODES.overloaded, '401', '429'] },
};
