import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { startProcess } from '../../../support/processes.ts';
import { PROGRAMS } from '../../../support/system.ts';
import { until } from '../../../support/until.ts';
import { pageJson, rowJson } from '../../hostile/rows.ts';
import type { Scenario } from '../../scenario.ts';
import { attempt, unrefused } from './attempts.ts';

/** Its source never changes, so no publication replaces the pointer by chance. No reader reads it. */
const UNCHANGED = 'unchanged';
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
  registries: ({ directory }) => {
    const file = path.join(directory, 'unchanged.json');
    writeFileSync(file, pageJson([rowJson('unchanged')]));
    return [{ name: UNCHANGED, file: { path: file }, syncPolicy: { interval: '5s' } }];
  },
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

    const isServed = async () => {
      if ((await redis.exists(keys.snapshot(UNCHANGED))) === 0) return false;
      const { status: answered } = await attempt(apiUrl, {
        path: `/registry/${UNCHANGED}/v0.1/servers`,
      });
      return answered === 200;
    };
    await until(isServed, { what: 'the first sync' });
    await redis.del(keys.snapshot(UNCHANGED));
    await until(isServed, { what: 'the pointer', timeoutMs: HEALS_WITHIN_MS }).catch(() =>
      gained.push('a deleted pointer does not heal'),
    );
    return gained;
  },
};
