/**
 * Seen in: Trigger.dev, issue 834.
 * Failure: Redis died between two Lua calls that belonged together, and their subject was stuck for ever.
 * Syncline: Redis is killed after each single step of a request and its run. Each time, the request is handled in the
 * end.
 */
import { QUEUE_NAME, redisKeys } from '@syncline/contract';
import { expect, test } from 'vitest';
import { connect } from '../../support/redis.ts';
import { startRedisServer } from '../../support/redis-server.ts';
import { writeRegistryFile } from '../../support/registry-file.ts';
import { generateRows } from '../../support/rows/generate.ts';
import { startSystem, waitUntilReady } from '../../support/system.ts';
import { until } from '../../support/until.ts';
import { untilComplete, untilRegistry } from '../../support/until-registry.ts';
import { startRedisCut } from './redis-cut.ts';

const ROWS = generateRows({ count: 30, seed: 834 });
/** More steps than a request and its run have. The test itself notices the end. */
const MOST_STEPS = 16;
/** Matches commands that write. The name of a command comes first, after its length. */
const WRITES = /^\$\d+\r\n(eval|evalsha|hincrby)\r\n/i;

test('nothing stays stuck if Redis dies after any step between a request and the end of its run', async () => {
  const redis = await startRedisServer();
  const cut = await startRedisCut(redis);
  const names = Array.from({ length: MOST_STEPS }, (_, index) => `cut-${index + 1}-`);
  const files = await Promise.all(names.map(() => writeRegistryFile(ROWS)));
  const system = await startSystem({
    config: {
      registries: names.map((name, index) => ({
        name: `${name}after`,
        file: { path: files[index]?.path ?? '' },
        syncPolicy: { interval: '12h' },
      })),
    },
    redisUrl: cut.url,
    schedulers: 0,
    workers: 1,
    awaitReady: false,
  });
  // Not through the proxy, because repairs of schedules do not count as steps.
  await system.start('scheduler', { env: { REDIS_URL: redis.url } });
  const { client } = system;
  // Nor do reads of the test.
  const direct = connect(redis.url);
  const { control, queuePrefix } = redisKeys(system.prefix);
  const isAnswered = async (registry: string) =>
    (await direct.hget(control(registry), 'handled')) !== null &&
    (await direct.exists(`${queuePrefix}:${QUEUE_NAME}:request-${registry}-1`)) === 0;
  for (const name of names) await untilComplete(client, `${name}after`);

  const cutAfter: string[] = [];
  for (const [index, name] of names.entries()) {
    const registry = `${name}after`;
    await files[index]?.replace(ROWS.slice(1));
    // A command about all registries at once does not count as a step of this one.
    const isStep = (command: string) =>
      WRITES.test(command) && names.every((it) => command.includes(it) === (it === name));
    const death = cut.killAfter(index + 1, isStep);
    // A request that is not acknowledged need not be handled. A counted one is.
    await client.post(`/v1/registries/${registry}/sync`);
    const allDone = until(async () => (await isAnswered(registry)) && death.callOff(), {
      what: `Redis to be killed after step ${index + 1}, or the request to be handled`,
    });
    const isDone = await Promise.race([allDone, death.happened.then(() => false)]);
    allDone.catch(() => {});
    if (isDone) break;
    await redis.start();
    cutAfter.push(registry);
    await waitUntilReady(client);
  }
  expect(cutAfter.length).toBeGreaterThanOrEqual(6);
  expect(cutAfter.length).toBeLessThan(MOST_STEPS);

  for (const registry of cutAfter) {
    const after = await untilRegistry(
      client,
      registry,
      (it) => it.control.handled === it.control.requested && it.status.phase === 'Complete',
      { what: `all requests of ${registry} to be handled` },
    );
    expect(after.status.consecutiveFailures).toBe(0);
    if (after.control.requested > 0) expect(after.status.versionCount).toBe(ROWS.length - 1);
    expect(await client.sync(registry)).toMatchObject({ trigger: 'manual' });
    expect((await client.registry(registry)).status.versionCount).toBe(ROWS.length - 1);
  }
});
