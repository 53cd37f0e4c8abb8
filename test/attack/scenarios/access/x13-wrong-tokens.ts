import { WRONG_TOKEN_LOG } from '../../contract.ts';
import type { Scenario } from '../../scenario.ts';
import { attempt } from './attempts.ts';

const ATTEMPTS = 200;
/** So fast, a client could guess on without a limit. */
const SLOWED_MS = 5_000;

/** A client tries 200 wrong tokens. The attempts must be logged, and the client must be slowed or refused. */
export const wrongTokens: Scenario = {
  id: 'X13',
  title: '200 wrong tokens',
  cause: {},
  inspect: async ({ fleet }) => {
    const gained: string[] = [];
    const statuses: number[] = [];
    const begunAt = performance.now();
    for (let number = 0; number < ATTEMPTS; number += 1) {
      const { status } = await attempt(fleet.apiUrl, {
        method: 'POST',
        path: '/v1/sync',
        headers: { authorization: `Bearer wrong-${number}` },
        body: {},
      });
      statuses.push(status);
      if (performance.now() - begunAt > SLOWED_MS) break;
    }
    if (statuses.some((status) => status < 400)) gained.push('a wrong token was accepted');
    const isSlowed = statuses.includes(429) || statuses.length < ATTEMPTS;
    if (!isSlowed) gained.push(`${ATTEMPTS} attempts were neither refused with 429 nor slowed`);
    const logs = fleet.processes.flatMap(({ handle }) => handle.output.logs);
    const isLogged = logs.some(({ msg, level }) => level !== 'info' && WRONG_TOKEN_LOG.test(msg));
    if (!isLogged) gained.push('no process logged the attempts');
    return gained;
  },
};
