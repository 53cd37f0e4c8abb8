/**
 * Seen in: ToolHive Registry Server, in its code (a row `IN_PROGRESS`), and Vendure, issue 5165.
 * Failure: a run that its process had left blocked all others for up to an hour; a lock that timed out was taken while
 * its task continued.
 * Syncline: a lease belongs to one registry and lasts seconds. After that, the writes of its holder are refused.
 */
import { redisKeys } from '@syncline/contract';
import { expect, test } from 'vitest';
import { testLifetime } from '../../support/lifetime.ts';
import { connect } from '../../support/redis.ts';
import { generateRows } from '../../support/rows/generate.ts';
import { type System, startSystem } from '../../support/system.ts';
import { untilComplete, untilRegistry, untilRun } from '../../support/until-registry.ts';
import type { RecordedRequest } from '../../support/upstream/recorded-request.ts';
import { startUpstream, type Upstream } from '../../support/upstream.ts';
import { workerThatRuns } from './who-holds.ts';

const ROWS = generateRows({ count: 150, seed: 5_165 });
const OTHERS = ['other-a', 'other-b', 'other-c'];

const isSecondPage = ({ query }: RecordedRequest) => query.has('cursor');

async function startAll() {
  const intervals = Object.entries({
    killed: '12h',
    asleep: '12h',
    ...Object.fromEntries(OTHERS.map((name) => [name, '1s'])),
  });
  const upstreams = new Map<string, Upstream>();
  for (const [name] of intervals) upstreams.set(name, await startUpstream({ rows: ROWS }));
  const of = (name: string): Upstream => {
    const upstream = upstreams.get(name);
    if (upstream === undefined) throw new Error(`there is no upstream ${name}`);
    return upstream;
  };
  const system = await startSystem({
    config: {
      registries: intervals.map(([name, interval]) => ({
        name,
        api: { endpoint: of(name).url },
        syncPolicy: { interval },
      })),
    },
    workers: 3,
    // A worker that is in the middle of one run has no other.
    env: { SYNCLINE_CONCURRENCY: '1' },
  });
  for (const [name] of intervals) await untilComplete(system.client, name);
  return { of, system };
}

/** Starts a sync, and stops it in the middle of its walk. */
async function holdRun(system: System, name: string, upstream: Upstream) {
  const gate = upstream.hold({ when: isSecondPage });
  testLifetime.defer(() => gate.release());
  expect((await system.client.post(`/v1/registries/${name}/sync`)).status).toBe(202);
  await gate.arrived;
  const worker = await workerThatRuns(system, name);
  const { status } = await system.client.registry(name);
  const isLater = ({ term }: { term: string }) => Number(term) > Number(status.term);
  return { gate, worker, term: status.term, isLater };
}

test('a dead worker and a frozen one block no other registry, and their own registries only briefly', async () => {
  const { of, system } = await startAll();
  const { client, workers } = system;
  of('asleep').replace(ROWS.slice(0, -1));
  const killed = await holdRun(system, 'killed', of('killed'));
  const asleep = await holdRun(system, 'asleep', of('asleep'));
  expect(killed.worker).not.toBe(asleep.worker);
  await killed.worker.kill();
  asleep.worker.pause();
  // The last response is in its socket, so it will have a complete but old state to publish.
  asleep.gate.release();
  of('asleep').replace(ROWS.slice(0, -2));

  for (const name of OTHERS) of(name).replace(ROWS.slice(1));
  for (const name of OTHERS) {
    await untilRun(client, name, ({ rowCount }) => rowCount === ROWS.length - 1);
  }
  // The others were synced before either of the two registries was run again.
  expect((await client.registry('killed')).status.term).toBe(killed.term);
  expect((await client.registry('asleep')).status.term).toBe(asleep.term);

  expect(await untilRun(client, 'killed', killed.isLater)).toMatchObject({
    outcome: 'unchanged',
    trigger: 'manual',
  });
  expect(await untilRun(client, 'asleep', asleep.isLater)).toMatchObject({
    outcome: 'published',
    rowCount: ROWS.length - 2,
  });

  const before = await stored(system, 'asleep');
  asleep.worker.resume();
  await asleep.worker.waitForLog(
    ({ outcome, term }) => outcome === 'interrupted' && term === asleep.term,
    { what: 'that its run was interrupted' },
  );
  expect(await stored(system, 'asleep')).toEqual(before);

  // The worker still works: it runs the next sync alone.
  for (const worker of workers) {
    if (worker.running && worker !== asleep.worker) await worker.stop();
  }
  of('asleep').replace(ROWS);
  expect(await client.sync('asleep')).toMatchObject({ outcome: 'published', diff: { added: 2 } });
  for (const name of ['killed', 'asleep']) {
    const { control } = await untilRegistry(client, name, (it) => it.status.phase === 'Complete');
    expect(control.handled).toBe(control.requested);
  }
});

/** Everything that a run could have changed. */
async function stored({ redisUrl, prefix }: System, name: string) {
  const direct = connect(redisUrl);
  const keys = redisKeys(prefix);
  return {
    status: await direct.hgetall(keys.status(name)),
    control: await direct.hgetall(keys.control(name)),
    runs: await direct.xrange(keys.runs(name), '-', '+'),
    history: await direct.zrange(keys.snapshotHistory(name), '0', '-1'),
  };
}
