import { startProcess } from '../../../support/processes.ts';
import { PROGRAMS } from '../../../support/system.ts';
import { until } from '../../../support/until.ts';
import type { Scenario } from '../../scenario.ts';
import { attempt, unrefused } from './attempts.ts';

/** Its source never changes, so no publication replaces the pointer by chance. */
const UNCHANGED = 'honest-6';
const HEALS_WITHIN_MS = 90_000;
const FOREIGN_HOSTS = [
  '127.999.1.1',
  '127.1',
  '0x7f.1',
  'localhost.evil.example',
  '127.0.0.1.nip.io',
];

/**
 * A Redis URL with an impossible port, hosts that only look like loopback, and a served pointer that someone deleted.
 * The first must end with a clear error, the second must be refused, and the third must heal by itself.
 */
export const oddValues: Scenario = {
  id: 'X17',
  title: 'a bad port, hosts that look like loopback, a deleted pointer',
  cause: {},
  inspect: async ({ fleet: { apiUrl, redis, keys } }) => {
    const gained: string[] = [];
    await using lifetime = new AsyncDisposableStack();
    const status = await startProcess({
      name: 'syncline status',
      entry: PROGRAMS.cli,
      args: ['status'],
      env: { REDIS_URL: 'redis://127.0.0.1:999999' },
      lifetime,
    });
    const { code } = await status.exited;
    const isStack = status.output.lines.some((line) => /^\s+at /.test(line));
    if (code === 0 || isStack) gained.push(`a bad port of Redis: ${status.output.tail(3)}`);

    gained.push(
      ...(await unrefused(
        apiUrl,
        FOREIGN_HOSTS.map((host) => ({ path: '/v1/registries', headers: { host } })),
      )),
    );

    await redis.del(keys.snapshot(UNCHANGED));
    const isServed = async () => {
      const { status: answered } = await attempt(apiUrl, {
        path: `/registry/${UNCHANGED}/v0.1/servers`,
      });
      return answered === 200;
    };
    await until(isServed, { what: 'the pointer', timeoutMs: HEALS_WITHIN_MS }).catch(() =>
      gained.push('a deleted pointer does not heal'),
    );
    return gained;
  },
};
