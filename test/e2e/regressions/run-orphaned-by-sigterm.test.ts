/**
 * Seen in: ToolHive Registry Server, in its code (`Stop` cancels the context that the last status is written with).
 * Failure: a SIGTERM in the middle of a sync left the row in progress, and nothing touched it for an hour.
 * Syncline: a worker that stops ends its runs or interrupts them, and records it with a signal that still works.
 */
import { redisKeys } from '@syncline/contract';
import { expect, test } from 'vitest';
import { testLifetime } from '../../support/lifetime.ts';
import { connect } from '../../support/redis.ts';
import { generateRows } from '../../support/rows/generate.ts';
import { startSystem } from '../../support/system.ts';
import { until } from '../../support/until.ts';
import { untilComplete, untilRun } from '../../support/until-registry.ts';
import { startUpstream } from '../../support/upstream.ts';

const ROWS = generateRows({ count: 80, seed: 1_003 });

test('a worker that stops during two runs finishes one, interrupts the hanging one, and leaves no lease', async () => {
  const [ending, hanging] = [
    await startUpstream({ rows: ROWS }),
    await startUpstream({ rows: ROWS }),
  ];
  const system = await startSystem({
    config: {
      registries: [
        { name: 'ending', api: { endpoint: ending.url }, syncPolicy: { interval: '12h' } },
        { name: 'hanging', api: { endpoint: hanging.url }, syncPolicy: { interval: '12h' } },
      ],
    },
    workers: 1,
  });
  const { client, prefix, redisUrl, workers } = system;
  const [worker] = workers;
  if (worker === undefined) throw new Error('expected a worker');
  for (const name of ['ending', 'hanging']) await untilComplete(client, name);
  for (const upstream of [ending, hanging]) upstream.replace(ROWS.slice(1));
  const gates = [ending, hanging].map((upstream) => upstream.hold());
  for (const gate of gates) testLifetime.defer(() => gate.release());
  for (const name of ['ending', 'hanging']) {
    expect((await client.post(`/v1/registries/${name}/sync`)).status).toBe(202);
  }
  for (const gate of gates) await gate.arrived;
  const { status: interrupted } = await client.registry('hanging');

  const stopped = worker.stop();
  // It takes no new jobs from here on; its runs may continue.
  const keys = redisKeys(prefix);
  await until(() => worker.output.logs.some(({ msg }) => msg === 'stopping'), {
    what: 'the worker to begin to stop',
  });
  gates[0]?.release();
  expect(await stopped).toEqual({ code: 0, signal: null });
  expect((await client.runs('ending'))[0]).toMatchObject({
    outcome: 'published',
    trigger: 'manual',
  });
  expect((await client.runs('hanging'))[0]).toMatchObject({
    outcome: 'interrupted',
    term: interrupted.term,
  });
  const direct = connect(redisUrl);
  for (const name of ['ending', 'hanging']) {
    const [phase, ...lease] = await direct.hmget(keys.status(name), 'phase', 'owner', 'leaseUntil');
    expect([name, phase, ...lease]).toEqual([name, 'Complete', null, null]);
  }
  expect(await hanging.arrival(2).then(({ ended }) => ended)).toBe('aborted');

  // The next worker runs it at once, because no run has handled the request.
  gates[1]?.release();
  const before = (await client.registry('hanging')).control;
  expect(before.handled).toBeLessThan(before.requested);
  await system.start('worker', { name: 'worker-next' });
  const isLater = ({ term }: { term: string }) => Number(term) > Number(interrupted.term);
  expect(await untilRun(client, 'hanging', isLater)).toMatchObject({
    outcome: 'published',
    trigger: 'manual',
    handledRequest: before.requested,
  });
});
