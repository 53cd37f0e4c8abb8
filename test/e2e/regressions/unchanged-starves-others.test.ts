/**
 * Seen in: ToolHive Registry Server, in its code (`GetNextSyncJob`, `ORDER BY ended_at LIMIT 1`).
 * Failure: an unchanged source stayed the oldest and came first each time. Those after it were never synced.
 * Syncline: each registry has its own schedule, and waits for its next tick once it has been checked.
 */
import { expect, test } from 'vitest';
import { generateRows } from '../../support/rows/generate.ts';
import { startSystem } from '../../support/system.ts';
import { untilComplete, untilRun } from '../../support/until-registry.ts';
import { startUpstream, type Upstream } from '../../support/upstream.ts';

const ROWS = generateRows({ count: 60, seed: 772 });
const OTHERS = ['other-a', 'other-b', 'other-c', 'other-d'];
/** One run at a time: everything else in the queue waits behind the first job. */
const ONE_AT_A_TIME = { SYNCLINE_CONCURRENCY: '1' };

/** One registry for each name, each with its own upstream. */
async function startUpstreams(intervals: Readonly<Record<string, string>>) {
  const upstreams = new Map<string, Upstream>();
  for (const name of Object.keys(intervals)) {
    upstreams.set(name, await startUpstream({ rows: ROWS }));
  }
  const registries = Object.entries(intervals).map(([name, interval]) => ({
    name,
    api: { endpoint: of(name).url },
    syncPolicy: { interval },
  }));
  return { of, config: { registries } };

  function of(name: string): Upstream {
    const upstream = upstreams.get(name);
    if (upstream === undefined) throw new Error(`there is no upstream ${name}`);
    return upstream;
  }
}

const everySecond = Object.fromEntries(OTHERS.map((name) => [name, '1s']));

test('sources that never change do not delay others, and get no extra requests', async () => {
  const { of, config } = await startUpstreams({
    'a-unchanged-and-due': '1s',
    'a-unchanged-and-not-due': '12h',
    ...everySecond,
  });
  const { client } = await startSystem({ config, workers: 1, env: ONE_AT_A_TIME });
  for (const { name } of config.registries) await untilComplete(client, name);
  of('a-unchanged-and-due').forgetRequests();
  const since = Date.now();
  for (let lost = 1; lost <= 3; lost += 1) {
    for (const name of OTHERS) of(name).replace(ROWS.slice(lost));
    for (const name of OTHERS) {
      const run = await untilRun(client, name, ({ rowCount }) => rowCount === ROWS.length - lost);
      expect(run).toMatchObject({ trigger: 'schedule', outcome: 'published' });
    }
  }
  expect(of('a-unchanged-and-not-due').requests).toHaveLength(1);
  const asked = of('a-unchanged-and-due').requests.length;
  expect(asked).toBeGreaterThan(0);
  // One for each interval that has ended, one for the interval in progress, and a tick that was late at the beginning.
  const most = 2 + Math.floor((Date.now() - since) / 1_000);
  expect(asked).toBeLessThanOrEqual(most);
});
