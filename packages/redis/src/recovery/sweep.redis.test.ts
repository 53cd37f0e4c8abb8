import { acquire } from '@syncline/sync/testing';
import { expect, test } from 'vitest';
import { redisHarness, testQueue, testRedis } from '../testing/test-redis.ts';
import { sweep } from './sweeper.ts';

const UNDONE = { changes: { startsWithoutFinish: 0 } };

function createSweep() {
  const test = testRedis();
  const queue = testQueue(test);
  const store = redisHarness(test);
  return {
    ...test,
    ...store,
    queue,
    /** Sweeps as the process whose turn it is. */
    async sweep(owner = 'alice') {
      await test.redis.del(test.keys.sweepTurn);
      const registries = ['alpha', 'beta'];
      return sweep({ ...test, queue, registries, owner, everyMs: 60_000 });
    },
    wakeUps: async () => (await queue.getWaiting()).map(({ data }) => data),
  };
}

test('a run whose lease has lapsed gets one wake-up', async () => {
  const world = createSweep();
  await acquire(world, 'alpha');
  expect(await world.sweep()).toBe(0);
  await world.expireLease('alpha');
  expect(await world.sweep()).toBe(1);
  expect(await world.sweep()).toBe(1);
  expect(await world.wakeUps()).toEqual([{ v: 1, registry: 'alpha', trigger: 'retry' }]);
});

test('an open request without a run gets a wake-up', async () => {
  const world = createSweep();
  await world.redis.hset(world.keys.control('beta'), 'requested', 4, 'handled', 2);
  expect(await world.sweep()).toBe(1);
  expect(await world.wakeUps()).toEqual([
    { v: 1, registry: 'beta', trigger: 'manual', request: 4 },
  ]);
});

test('an open request gets no wake-up during a run', async () => {
  const world = createSweep();
  const purpose = { kind: 'request', force: false } as const;
  const { lease } = await acquire(world, 'alpha', { purpose });
  expect(await world.sweep()).toBe(0);
  await world.runStore.finish(lease, UNDONE);
  expect(await world.sweep()).toBe(1);
});

test('a handled request gets no wake-up', async () => {
  const world = createSweep();
  const purpose = { kind: 'request', force: false } as const;
  const { lease } = await acquire(world, 'alpha', { purpose });
  await world.runStore.finish(lease, { ...UNDONE, handledRequest: 1 });
  expect(await world.sweep()).toBe(0);
  expect(await world.wakeUps()).toEqual([]);
});

test('only one process of the fleet sweeps at a time', async () => {
  const { redis, keys, queue } = createSweep();
  const owners = ['alice', 'bob', 'carol'];
  const sweeps = await Promise.all(
    owners.map((owner) => sweep({ redis, keys, queue, registries: [], owner, everyMs: 60_000 })),
  );
  expect(sweeps.filter((wakeUps) => wakeUps !== undefined)).toEqual([0]);
  expect(await redis.pttl(keys.sweepTurn)).toBeGreaterThan(50_000);
});

test('a foreign value at the key of the sweep turn is removed', async () => {
  const { redis, keys, queue } = createSweep();
  await redis.sadd(keys.sweepTurn, 'not ours');
  const options = { redis, keys, queue, registries: [], owner: 'alice', everyMs: 60_000 };
  expect(await sweep(options)).toBeUndefined();
  expect(await sweep(options)).toBe(0);
});

test('a request whose wake-up was lost gets a new one', async () => {
  const world = createSweep();
  await world.redis.hset(world.keys.control('beta'), 'requested', 1);
  await world.sweep();
  await world.queue.drain();
  expect(await world.wakeUps()).toEqual([]);
  await world.sweep();
  expect(await world.wakeUps()).toHaveLength(1);
});
