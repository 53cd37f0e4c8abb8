/**
 * Bit: ToolHive Registry Server, in its code (`GetNextSyncJob`, `ORDER BY ended_at LIMIT 1`).
 * There: the oldest row came first each time: an unchanged one, or one in progress, starved all others, for up to an hour.
 * Here: each registry has a schedule and a lease of its own; none stands before another.
 */
import { expect, test } from 'vitest';
import {
  generateRows,
  startSystem,
  startUpstream,
  testLifetime,
  type Upstream,
  untilComplete,
  untilRegistry,
  untilRun,
} from '../../support/index.ts';
import { workerThatRuns } from './who-holds.ts';

const ROWS = generateRows({ count: 60, seed: 772 });
const OTHERS = ['other-a', 'other-b', 'other-c', 'other-d'];
/** One run at a time: whatever stands first in the queue, all else is behind it. */
const ONE_AT_A_TIME = { SYNCLINE_CONCURRENCY: '1' };

/** A registry a name, each with an upstream of its own. */
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

test('sources that never change keep no other from being synced, and are not asked more often than they should be', async () => {
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
  expect(asked).toBeLessThanOrEqual((Date.now() - since) / 1_000 + 1);
});

test('a run that its process has left in progress holds up nobody else, and itself for seconds only', async () => {
  const { of, config } = await startUpstreams({ 'a-stuck': '12h', ...everySecond });
  const system = await startSystem({ config });
  const { client } = system;
  for (const { name } of config.registries) await untilComplete(client, name);
  const gate = of('a-stuck').hold();
  testLifetime.defer(() => gate.release());
  expect((await client.post('/v1/registries/a-stuck/sync')).status).toBe(202);
  await gate.arrived;
  const holder = await workerThatRuns(system, 'a-stuck');
  const { status } = await client.registry('a-stuck');

  const expectOthersGoOn = async (lost: number) => {
    for (const name of OTHERS) of(name).replace(ROWS.slice(lost));
    for (const name of OTHERS) {
      await untilRun(client, name, ({ rowCount }) => rowCount === ROWS.length - lost);
    }
    return client.registry('a-stuck');
  };
  expect((await expectOthersGoOn(1)).status.phase).toBe('Syncing');
  await holder.kill();
  // Its row still says so while the others are synced again.
  expect((await expectOthersGoOn(2)).status.term).toBe(status.term);

  const isLater = ({ term }: { term: string }) => Number(term) > Number(status.term);
  expect(await untilRun(client, 'a-stuck', isLater)).toMatchObject({
    outcome: 'unchanged',
    trigger: 'manual',
  });
  const { control } = await untilRegistry(
    client,
    'a-stuck',
    (it) => it.status.phase === 'Complete',
  );
  expect(control.handled).toBe(control.requested);
});
