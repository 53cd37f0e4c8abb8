import { median } from '../../../bench/measure/statistics.ts';
import { WRONG_TOKEN_LOG } from '../../contract.ts';
import type { Scenario } from '../../scenario.ts';
import { attempt } from './attempts.ts';

const ATTEMPTS = 200;
/** The last attempts must take so many times as long as the first, unless they are refused. */
const SLOWED_BY = 5;
const COMPARED = 10;

/** A client tries 200 wrong tokens. The attempts must be logged, and the client must be slowed or refused. */
export const wrongTokens: Scenario = {
  id: 'X13',
  title: '200 wrong tokens',
  cause: {},
  inspect: async ({ fleet }) => {
    const gained: string[] = [];
    const statuses: number[] = [];
    const tookMs: number[] = [];
    for (let number = 0; number < ATTEMPTS; number += 1) {
      const begunAt = performance.now();
      const { status } = await attempt(fleet.apiUrl, {
        method: 'POST',
        path: '/v1/sync',
        headers: { authorization: `Bearer wrong-${number}` },
        body: {},
      });
      statuses.push(status);
      tookMs.push(performance.now() - begunAt);
      if (status === 429) break;
    }
    if (statuses.some((status) => status < 400)) gained.push('a wrong token was accepted');
    const [first, last] = [tookMs.slice(0, COMPARED), tookMs.slice(-COMPARED)];
    const isSlowed = statuses.includes(429) || median(last) > SLOWED_BY * median(first);
    if (!isSlowed) gained.push(`${ATTEMPTS} attempts were neither refused with 429 nor slowed`);
    const logs = fleet.processes.flatMap(({ handle }) => handle.output.logs);
    const isLogged = logs.some(({ msg, level }) => level !== 'info' && WRONG_TOKEN_LOG.test(msg));
    if (!isLogged) gained.push('no process logged the attempts');
    return gained;
  },
};
