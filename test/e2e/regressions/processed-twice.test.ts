/**
 * Seen in: Sourcebot, issue 523.
 * Failure: the same repository was indexed twice at once, because a job for it was added while one was running.
 * Syncline: however many requests there are, one worker at a time walks a registry.
 */
import { type JobPayloadInput, QUEUE_NAME, redisKeys } from '@syncline/contract';
import { Queue } from 'bullmq';
import { expect, test } from 'vitest';
import { testLifetime } from '../../support/lifetime.ts';
import { OPS_ENV, opsUrl, readMetrics, sumOf } from '../../support/ops.ts';
import { generateRows } from '../../support/rows/generate.ts';
import { startSystem } from '../../support/system.ts';
import { until } from '../../support/until.ts';
import { untilComplete, untilRegistry } from '../../support/until-registry.ts';
import { startUpstream } from '../../support/upstream.ts';
import { workerThatRuns } from './who-holds.ts';

test('ticks, requests and bare BullMQ jobs start no second walk of a registry while a worker walks it', async () => {
  const upstream = await startUpstream({ rows: generateRows({ count: 50, seed: 523 }) });
  const system = await startSystem({
    config: {
      registries: [
        { name: 'wanted', api: { endpoint: upstream.url }, syncPolicy: { interval: '1s' } },
      ],
    },
    workers: 3,
    env: OPS_ENV,
  });
  const { client, workers } = system;
  await untilComplete(client, 'wanted');
  const gate = upstream.hold({ times: Number.POSITIVE_INFINITY });
  testLifetime.defer(() => gate.release());
  await gate.arrived;
  const holder = await workerThatRuns(system, 'wanted');
  const { status } = await client.registry('wanted');

  const queue = openQueue(system);
  const payload: JobPayloadInput = { v: 1, registry: 'wanted', force: true };
  const asked = await Promise.all([
    ...Array.from({ length: 5 }, () => client.post('/v1/registries/wanted/sync')),
    ...Array.from({ length: 5 }, () => queue.add('sync', payload)),
  ]);
  expect(asked).toHaveLength(10);
  const urls = await Promise.all(workers.map(opsUrl));
  await until(
    async (see) => {
      const metrics = await Promise.all(urls.map(readMetrics));
      const skipped = metrics.reduce(
        (sum, of) => sum + sumOf(of, 'syncline_overlaps_skipped_total'),
        0,
      );
      const { wait, active } = await queue.getJobCounts('wait', 'active');
      see({ skipped, wait, active, waiting: gate.waiting });
      // The one active job is that of the walk: each other job has found the registry busy.
      return skipped >= 3 && wait === 0 && active === 1;
    },
    { what: 'three ticks and all requests to find the registry busy' },
  );
  expect(gate.waiting).toBe(1);
  expect(await workerThatRuns(system, 'wanted')).toBe(holder);
  expect((await client.registry('wanted')).status.term).toBe(status.term);

  // The one run that starts next handles all ten.
  const requested = (await client.registry('wanted')).control.requested;
  gate.release();
  await untilRegistry(client, 'wanted', ({ control }) => control.handled >= requested);
  const runs = await client.runs('wanted');
  const answering = runs.filter(({ trigger }) => trigger === 'manual');
  expect(answering).toMatchObject([{ handledRequest: requested, outcome: 'unchanged' }]);
});

function openQueue({ redisUrl, prefix }: { redisUrl: string; prefix: string }): Queue {
  const { hostname: host, port } = new URL(redisUrl);
  const queue = new Queue(QUEUE_NAME, {
    connection: { host, port: Number(port) },
    prefix: redisKeys(prefix).queuePrefix,
  });
  testLifetime.defer(() => queue.close());
  return queue;
}
