/**
 * Bit: Vendure, issue 5165.
 * There: a task's lock was freed when its time was up, while the task itself ran on, so that the next one ran beside it.
 * Here: what is out of time is ended before its lease is freed; what cannot be ended has its writes refused.
 */
import { redisKeys } from '@syncline/contract';
import { expect, test } from 'vitest';
import {
  connect,
  generateRows,
  startSystem,
  startUpstream,
  testLifetime,
  until,
  untilComplete,
  untilRegistry,
  untilRun,
} from '../../support/index.ts';
import { workerThatRuns } from './who-holds.ts';

const ROWS = generateRows({ count: 150, seed: 5_165 });
const ALWAYS = { times: Number.POSITIVE_INFINITY };

test('a run whose time is up has left its upstream before the next one asks it', async () => {
  const upstream = await startUpstream({ rows: ROWS });
  const system = await startSystem({
    config: {
      registries: [
        {
          name: 'hanging',
          api: { endpoint: upstream.url },
          syncPolicy: { interval: '12h', timeout: '1s' },
        },
      ],
    },
  });
  const { client } = system;
  await untilComplete(client, 'hanging');
  upstream.forgetRequests();
  const gate = upstream.hold(ALWAYS);
  testLifetime.defer(() => gate.release());
  const ended: number[] = [];
  const RUNS = 3;
  for (let number = 1; number <= RUNS; number += 1) {
    const run = client.sync('hanging');
    const request = await upstream.arrival(number);
    // In the order in which the upstream itself sees it.
    expect(ended, 'walks that have ended').toHaveLength(number - 1);
    expect(gate.waiting).toBe(1);
    request.ended.then(
      () => ended.push(number),
      () => {},
    );
    expect(await run).toMatchObject({ outcome: 'failed', error: { code: 'run-timeout' } });
  }
  await until(() => ended.length === RUNS, { what: 'the last walk to end' });
  expect(upstream.requests).toHaveLength(RUNS);
  expect(await client.allServers('hanging')).toHaveLength(ROWS.length);
});

test('a run that slept through its lease, and is passed by another, goes on and changes nothing', async () => {
  const upstream = await startUpstream({ rows: ROWS });
  const system = await startSystem({
    config: {
      registries: [
        { name: 'asleep', api: { endpoint: upstream.url }, syncPolicy: { interval: '12h' } },
      ],
    },
  });
  const { client, prefix, redisUrl, workers } = system;
  await untilComplete(client, 'asleep');
  upstream.replace(ROWS.slice(0, -1));
  const gate = upstream.hold({ when: ({ query }) => query.has('cursor') });
  testLifetime.defer(() => gate.release());
  expect((await client.post('/v1/registries/asleep/sync')).status).toBe(202);
  await gate.arrived;
  const sleeper = await workerThatRuns(system, 'asleep');
  const { status: asleep } = await client.registry('asleep');
  sleeper.pause();
  // The end of its walk lies in its socket: it will have a whole state to publish, which is old by then.
  gate.release();
  upstream.replace(ROWS.slice(0, -2));

  const isLater = ({ term }: { term: string }) => Number(term) > Number(asleep.term);
  const passed = await untilRun(client, 'asleep', isLater);
  expect(passed).toMatchObject({ outcome: 'published', rowCount: ROWS.length - 2 });
  const keys = redisKeys(prefix);
  const stored = async () => {
    const direct = connect(redisUrl);
    return {
      status: await direct.hgetall(keys.status('asleep')),
      control: await direct.hgetall(keys.control('asleep')),
      runs: await direct.xlen(keys.runs('asleep')),
      history: await direct.zrange(keys.snapshotHistory('asleep'), '0', '-1'),
    };
  };
  const before = await stored();
  sleeper.resume();
  await sleeper.waitForLog(
    ({ outcome, term }) => outcome === 'interrupted' && term === asleep.term,
    { what: 'that its run has come to nothing' },
  );
  expect(await stored()).toEqual(before);

  // It is none the worse for it.
  for (const worker of workers) if (worker !== sleeper) await worker.stop();
  upstream.replace(ROWS);
  expect(await client.sync('asleep')).toMatchObject({ outcome: 'published', diff: { added: 2 } });
  await untilRegistry(client, 'asleep', ({ status }) => status.phase === 'Complete');
});
