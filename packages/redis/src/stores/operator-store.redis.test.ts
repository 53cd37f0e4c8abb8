import { registryConfig } from '@syncline/contract/testing';
import { storeRows } from '@syncline/snapshot/testing';
import { createOperations } from '@syncline/sync/perform';
import { acquire } from '@syncline/sync/testing';
import { expect, test, vi } from 'vitest';
import { redisHarness, testQueue, testRedis } from '../testing/test-redis.ts';
import { createRedisOperatorStore } from './operator-store.ts';
import { redisNowMs } from './registry-reader.ts';

const ALPHA = { name: 'alpha', suspended: false };
const UNDONE = { changes: { startsWithoutFinish: 0 } };

async function createRegistry() {
  const test = testRedis();
  const queue = testQueue(test);
  const store = redisHarness(test);
  const filters = new Map<string, { names: { include: string[] } }>();
  const operations = createOperations({
    ...store,
    operators: createRedisOperatorStore({ ...test, queue }),
    owner: 'operator',
    registryOf: async (name) => registryConfig({ name, filter: filters.get(name) ?? {} }),
    dependentsOf: (registry) => [`catalog.of-${registry}`],
  });

  async function stage(names: readonly string[]) {
    const { lease, nowMs } = await acquire(store, 'alpha');
    const rows = names.map((name) => ({ name, version: '1', description: 'x' }));
    return { lease, ...(await storeRows(store.snapshots, { lease, rows, nowMs })) };
  }
  /** Lets a run publish these servers. */
  async function publish(...names: string[]): Promise<string> {
    const { lease, publication } = await stage(names);
    const changes = {
      phase: 'Complete',
      startsWithoutFinish: 0,
      snapshot: publication.manifest,
      revision: 'r1',
      lastSuccessAt: '2026-02-01T12:00:00.000Z',
      versionCount: names.length,
    } as const;
    await store.runStore.publishAndFinish(lease, { changes }, publication);
    await store.passTime();
    return publication.manifest;
  }
  /** Lets a run end with a held snapshot. */
  async function hold(...names: string[]): Promise<string> {
    const { lease, publication } = await stage(names);
    const held = {
      snapshot: publication.manifest,
      since: '2026-02-01T12:00:00.000Z',
      reason: 'shrink',
      rowCountBefore: 2,
      rowCountAfter: names.length,
    } as const;
    await store.runStore.finish(lease, { changes: { phase: 'Complete', held } });
    return publication.manifest;
  }
  const served = () => store.snapshots.readPointer('alpha');
  return { ...test, ...store, queue, operations, filters, publish, hold, served };
}

test('suspend stores note, author and time, and resume removes them and wakes a worker at once', async () => {
  const { operations, readControl, queue, redis, keys } = await createRegistry();
  const beforeMs = await redisNowMs(redis);
  await operations.suspend('alpha', { note: 'upstream is moving', author: 'ada' });
  const { suspendedAt = '', ...control } = await readControl('alpha');
  expect(control).toMatchObject({ suspended: true, note: 'upstream is moving', author: 'ada' });
  expect(Date.parse(suspendedAt)).toBeGreaterThanOrEqual(beforeMs);
  expect(Date.parse(suspendedAt)).toBeLessThanOrEqual(await redisNowMs(redis));
  await operations.resume(ALPHA);
  expect(await readControl('alpha')).toEqual({
    requested: 0,
    handled: 0,
    force: false,
    suspended: false,
  });
  expect(await redis.hkeys(keys.control('alpha'))).toEqual([]);
  const [wakeUp] = await queue.getPrioritized();
  expect(wakeUp?.data).toEqual({ v: 1, registry: 'alpha', trigger: 'config' });
});

test('a second suspend replaces the author and the note of the first', async () => {
  const { operations, readControl } = await createRegistry();
  await operations.suspend('alpha', { note: 'upstream is moving', author: 'ada' });
  await operations.suspend('alpha', { author: 'bob' });
  expect(await readControl('alpha')).toMatchObject({ suspended: true, author: 'bob' });
  expect(await readControl('alpha')).not.toHaveProperty('note');
});

test('suspend and resume keep the counts of requests', async () => {
  const { operations, readControl, redis, keys } = await createRegistry();
  await redis.hset(keys.control('alpha'), 'requested', 3, 'handled', 1);
  await operations.suspend('alpha', {});
  await operations.resume(ALPHA);
  expect(await readControl('alpha')).toMatchObject({ requested: 3, handled: 1 });
});

test('a rollback serves an earlier snapshot, and pins it until resume', async () => {
  const registry = await createRegistry();
  const one = await registry.publish('a', 'b');
  await registry.publish('a', 'b', 'c');
  expect(await registry.operations.rollback('alpha', { snapshot: one })).toEqual({ snapshot: one });
  expect(await registry.served()).toBe(one);
  const status = await registry.status.load('alpha');
  expect(status).toMatchObject({
    phase: 'Complete',
    snapshot: one,
    versionCount: 2,
    serverCount: 2,
    message: 'rolled back',
    startsWithoutFinish: 0,
  });
  expect(status?.revision).toBeUndefined();
  expect(status?.owner).toBeUndefined();
  expect(await registry.readControl('alpha')).toMatchObject({ pinned: one });
  expect(await registry.listRuns('alpha')).toMatchObject([
    { trigger: 'manual', outcome: 'published', owner: 'operator', snapshot: one, rowCount: 2 },
  ]);
  await registry.operations.resume(ALPHA);
  expect((await registry.readControl('alpha')).pinned).toBeUndefined();
});

test('a rollback accepts the beginning of a digest', async () => {
  const registry = await createRegistry();
  const one = await registry.publish('a');
  await registry.publish('b');
  const { operations } = registry;
  expect(await operations.rollback('alpha', { snapshot: one.slice(0, 8) })).toEqual({
    snapshot: one,
  });
});

test.each([['0000'], ['']])(
  'a rollback to %j, which matches no snapshot or several, changes nothing',
  async (snapshot) => {
    const registry = await createRegistry();
    await registry.publish('a');
    const two = await registry.publish('b');
    await expect(registry.operations.rollback('alpha', { snapshot })).rejects.toMatchObject({
      code: 'unknown-snapshot',
    });
    expect(await registry.served()).toBe(two);
    expect((await registry.readControl('alpha')).pinned).toBeUndefined();
  },
);

test('a rollback stops the current run, and waits for its lease', async () => {
  const registry = await createRegistry();
  const one = await registry.publish('a');
  await registry.publish('b');
  const { lease } = await acquire(registry, 'alpha', { owner: 'worker' });
  const rolledBack = registry.operations.rollback('alpha', { snapshot: one });
  await vi.waitFor(async () =>
    expect(await registry.runStore.renew([lease], { ttlMs: 60_000 })).toEqual([
      { held: true, stop: true },
    ]),
  );
  await registry.runStore.finish(lease, UNDONE);
  await rolledBack;
  expect(await registry.served()).toBe(one);
});

test('a rollback to a snapshot with a lost chunk changes nothing, and leaves no pin', async () => {
  const registry = await createRegistry();
  const one = await registry.publish('a');
  const [lost = ''] = await registry.snapshots.listChunks('alpha');
  const two = await registry.publish('b');
  await registry.redis.hdel(registry.keys.snapshotChunks('alpha'), lost);
  await expect(registry.operations.rollback('alpha', { snapshot: one })).rejects.toMatchObject({
    code: 'snapshot-incomplete',
  });
  expect(await registry.served()).toBe(two);
  expect((await registry.readControl('alpha')).pinned).toBeUndefined();
  const status = await registry.status.load('alpha');
  expect(status).toMatchObject({ phase: 'Complete', startsWithoutFinish: 0, versionCount: 1 });
  expect(status?.owner).toBeUndefined();
});

test('a second rollback that fails keeps the pin of the first', async () => {
  const registry = await createRegistry();
  const one = await registry.publish('a');
  const two = await registry.publish('b');
  await registry.operations.rollback('alpha', { snapshot: one });
  await registry.redis.del(registry.keys.snapshotChunks('alpha'));
  await expect(registry.operations.rollback('alpha', { snapshot: two })).rejects.toThrow();
  expect(await registry.readControl('alpha')).toMatchObject({ pinned: one });
});

test('an approval publishes the held snapshot, and pins nothing', async () => {
  const registry = await createRegistry();
  await registry.publish('a', 'b');
  const held = await registry.hold('a');
  const snapshot = held.slice(0, 12);
  expect(await registry.operations.approve('alpha', { snapshot })).toEqual({ snapshot: held });
  expect(await registry.served()).toBe(held);
  const status = await registry.status.load('alpha');
  expect(status).toMatchObject({ snapshot: held, versionCount: 1, message: 'approved' });
  expect(status?.held).toBeUndefined();
  expect((await registry.readControl('alpha')).pinned).toBeUndefined();
});

test('a rollback triggers a rebuild of the catalogs', async () => {
  const registry = await createRegistry();
  const one = await registry.publish('a', 'b');
  await registry.publish('a');
  await registry.operations.rollback('alpha', { snapshot: one });
  expect(await registry.readControl('catalog.of-alpha')).toMatchObject({
    requested: 1,
    handled: 0,
  });
  const [job] = await registry.queue.getJobs(['waiting']);
  expect(job?.data).toEqual({
    v: 1,
    registry: 'catalog.of-alpha',
    trigger: 'change',
    request: 1,
  });
});

test('an approval of a snapshot that is not held is rejected', async () => {
  const registry = await createRegistry();
  const one = await registry.publish('a', 'b');
  await expect(registry.operations.approve('alpha', { snapshot: one })).rejects.toMatchObject({
    code: 'unknown-snapshot',
  });
  await registry.hold('a');
  await expect(registry.operations.approve('alpha', { snapshot: one })).rejects.toMatchObject({
    code: 'unknown-snapshot',
  });
  expect(await registry.served()).toBe(one);
});
