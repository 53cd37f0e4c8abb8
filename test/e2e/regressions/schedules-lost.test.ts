/**
 * Seen in: Harbor, issue 18836.
 * Failure: Redis had forgotten 217 of 250 schedules. Nothing reported it or fired until the job service was restarted.
 * Syncline: if Redis comes back with less data, the running processes repair it at once.
 */
import { QUEUE_NAME, redisKeys } from '@syncline/contract';
import { expect, test } from 'vitest';
import { connect } from '../../support/redis.ts';
import { type RedisServerHandle, startRedisServer } from '../../support/redis-server.ts';
import { writeRegistryFile } from '../../support/registry-file.ts';
import { generateRows } from '../../support/rows/generate.ts';
import { startSystem } from '../../support/system.ts';
import { until } from '../../support/until.ts';
import { untilComplete } from '../../support/until-registry.ts';

const ALL = Array.from({ length: 250 }, (_, index) => `registry-${index}`);
const KEPT = ALL.slice(0, 33);

test('217 of 250 schedules that are lost with the end of the append-only file fire again without a restart', async () => {
  const redis = await startRedisServer();
  const { path } = await writeRegistryFile(generateRows({ count: 2, seed: 18_836 }));
  const configOf = (names: readonly string[]) => ({
    registries: names.map((name) => ({ name, file: { path }, syncPolicy: { interval: '12h' } })),
  });
  const system = await startSystem({
    config: configOf(KEPT),
    redisUrl: redis.url,
    workers: 0,
  });
  const { client, config, prefix } = system;
  const [scheduler] = system.schedulers;
  if (scheduler === undefined) throw new Error('expected a scheduler');
  await untilSchedules(redis, prefix, KEPT);

  // From here on nothing reaches the disk.
  await connect(redis.url).config('SET', 'appendonly', 'no');
  await config.replace(configOf(ALL));
  await untilSchedules(redis, prefix, ALL);
  scheduler.pause();
  await redis.kill();
  await redis.start();
  await untilSchedules(redis, prefix, KEPT);
  scheduler.resume();

  await untilSchedules(redis, prefix, ALL);
  // Forgotten registries are synced without waiting for their first tick, in half a day.
  await system.start('worker');
  for (const name of [...ALL.slice(-3), ...KEPT.slice(0, 3)]) await untilComplete(client, name);
  for (const process of [scheduler, system.api]) {
    expect(process.running, `${process.name}:\n${process.output.tail()}`).toBe(true);
  }
});

/** Waits until exactly these are scheduled, each with the job that is to fire next. */
async function untilSchedules(
  { url }: RedisServerHandle,
  prefix: string,
  names: readonly string[],
): Promise<void> {
  const client = connect(url);
  const key = `${redisKeys(prefix).queuePrefix}:${QUEUE_NAME}:repeat`;
  await until(
    async (see) => {
      const stored = await client.zrange(key, '0', '-1', 'WITHSCORES');
      const jobs = stored.flatMap((name, index) =>
        index % 2 === 0 ? [`${key}:${name}:${stored[index + 1]}`] : [],
      );
      const fire = jobs.length === 0 ? 0 : await client.exists(...jobs);
      see(`${jobs.length} schedules, of which ${fire} will fire`);
      return fire === names.length && jobs.length === names.length;
    },
    { what: `${names.length} schedules with a next job` },
  );
}
