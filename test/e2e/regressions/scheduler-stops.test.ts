/**
 * Seen in: BullMQ, issue 3272.
 * Failure: each tick is added by the one before it. If one was lost, the scheduler stayed listed and never fired again.
 * Syncline: every pass of a scheduler compares the wanted schedules with the existing ones, and gives a dead schedule
 * its next job.
 */
import { QUEUE_NAME, redisKeys } from '@syncline/contract';
import { expect, test } from 'vitest';
import { connect } from '../../support/redis.ts';
import { startRedisServer } from '../../support/redis-server.ts';
import { writeRegistryFile } from '../../support/registry-file.ts';
import { generateRows } from '../../support/rows/generate.ts';
import { startSystem } from '../../support/system.ts';
import { until } from '../../support/until.ts';
import { untilComplete, untilRun } from '../../support/until-registry.ts';

const ROWS = generateRows({ count: 20, seed: 3_272 });

test('schedules that were deleted, or that lost their next job, fire again', async () => {
  const redis = await startRedisServer();
  const broken = await Promise.all(
    ['without-its-next-job', 'without-its-entry', 'without-anything'].map(async (name) => ({
      name,
      file: await writeRegistryFile(ROWS),
    })),
  );
  const system = await startSystem({
    config: {
      registries: broken.map(({ name, file }) => ({
        name,
        file: { path: file.path },
        syncPolicy: { interval: '2s' },
      })),
    },
    redisUrl: redis.url,
    workers: 1,
  });
  const { client, prefix } = system;
  const [scheduler] = system.schedulers;
  if (scheduler === undefined) throw new Error('expected a scheduler');
  for (const { name } of broken) await untilComplete(client, name);

  const direct = connect(redis.url);
  const queueKey = (suffix: string) => `${redisKeys(prefix).queuePrefix}:${QUEUE_NAME}:${suffix}`;
  const nextOf = (name: string) => direct.zscore(queueKey('repeat'), name);
  /** One step, so that no tick comes between. @returns whether the job still waited for its time */
  const breakSchedule = async (name: string) => {
    const next = `repeat:${name}:${await nextOf(name)}`;
    const steps = direct.multi().zrem(queueKey('delayed'), next).del(queueKey(next));
    if (name !== 'without-its-next-job') steps.zrem(queueKey('repeat'), name);
    if (name === 'without-anything') steps.del(queueKey(`repeat:${name}`));
    const [removed] = (await steps.exec()) ?? [];
    return removed?.[1] === 1;
  };
  for (const { name } of broken) {
    await until(() => breakSchedule(name), {
      what: `the schedule of ${name} to be broken before its job is taken`,
    });
  }
  const deadSince = await nextOf('without-its-next-job');

  // A pass comes each 30 s, and whenever the connection is new: the test makes it new twice.
  const passes = () => scheduler.output.logs.filter(({ msg }) => msg === 'schedules repaired');
  const before = passes().length;
  await untilReconnected(direct);
  await until(() => passes().length > before, { what: 'the first repair pass' });
  expect(await nextOf('without-its-next-job')).toBe(deadSince);
  await untilReconnected(direct);

  for (const { name, file } of broken) {
    await file.replace(ROWS.slice(1));
    const run = await untilRun(client, name, ({ rowCount }) => rowCount === ROWS.length - 1);
    expect(run).toMatchObject({ trigger: 'schedule', outcome: 'published' });
  }
  expect(passes().at(-1)).toMatchObject({ healed: 1 });
});

/** Breaks all connections of the system, and waits until they are there again. */
async function untilReconnected(direct: ReturnType<typeof connect>): Promise<void> {
  const count = async () =>
    String(await direct.client('LIST'))
      .trim()
      .split('\n').length;
  const before = await count();
  await direct.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
  await until(async () => (await count()) >= before, { what: 'all connections to be restored' });
}
