/**
 * Seen in: Inngest, pull request 3569.
 * Failure: after an outage of the queue, every missed run was scheduled at once, a burst as long as the outage.
 * Syncline: however many ticks a registry has missed, it runs once, and then continues at its usual times.
 */
import { QUEUE_NAME, redisKeys } from '@syncline/contract';
import { expect, test } from 'vitest';
import { connect } from '../../support/redis.ts';
import { generateRows } from '../../support/rows/generate.ts';
import { type System, startSystem } from '../../support/system.ts';
import { until } from '../../support/until.ts';
import { untilComplete } from '../../support/until-registry.ts';
import { startUpstream } from '../../support/upstream.ts';

const REGISTRIES = 20;
const INTERVAL_MS = 1_000;
const MISSED_TICKS = 5;

test('the five missed ticks of each of twenty registries become one run', async () => {
  const rows = generateRows({ count: 5, seed: 3_569 });
  const upstreams = await Promise.all(
    Array.from({ length: REGISTRIES }, () => startUpstream({ rows })),
  );
  const names = upstreams.map((_, index) => `missed-${index}`);
  const system = await startSystem({
    config: {
      registries: upstreams.map(({ url }, index) => ({
        name: `missed-${index}`,
        api: { endpoint: url },
        syncPolicy: { interval: `${INTERVAL_MS / 1_000}s` },
      })),
    },
    workers: 1,
  });
  const { client, workers } = system;
  for (const name of names) await untilComplete(client, name);
  for (const worker of workers) await worker.stop();
  for (const upstream of upstreams) upstream.forgetRequests();
  await until(
    async (see) => {
      const overdueMs = await leastOverdueMs(system);
      see(overdueMs);
      return overdueMs > MISSED_TICKS * INTERVAL_MS;
    },
    { what: `${MISSED_TICKS} missed ticks of each registry` },
  );

  const startedAtMs = Date.now();
  await system.start('worker', { name: 'worker-after-the-outage' });
  await until(() => upstreams.every(({ requests }) => requests.length >= 3), {
    what: 'three runs of each registry',
  });
  const counts = upstreams.map(({ requests }) => requests.length);
  const firstAtMs = Math.min(...upstreams.map(({ requests }) => requests[0]?.arrivedAtMs ?? 0));
  expect(firstAtMs).toBeGreaterThanOrEqual(startedAtMs);
  // One for all missed ticks, and one for each interval that has started since the first of them.
  const most = 2 + Math.ceil((Date.now() - firstAtMs) / INTERVAL_MS);
  expect(Math.max(...counts), `runs of one registry, of ${counts}`).toBeLessThanOrEqual(most);
  for (const name of names) {
    const { status } = await client.registry(name);
    expect(status.consecutiveFailures).toBe(0);
  }
});

/** How long the registry that fired last has been due. */
async function leastOverdueMs({ redisUrl, prefix }: System): Promise<number> {
  const key = `${redisKeys(prefix).queuePrefix}:${QUEUE_NAME}:repeat`;
  const scored = await connect(redisUrl).zrange(key, '0', '-1', 'WITHSCORES');
  const dueAtMs = scored.filter((_, index) => index % 2 === 1).map(Number);
  return Date.now() - Math.max(...dueAtMs);
}
