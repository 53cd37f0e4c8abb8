import { testBlob } from '@syncline/snapshot/testing';
import { acquire, testRun } from '@syncline/sync/testing';
import { describe, expect, test } from 'vitest';
import { claimEpoch, trackRegistries } from '../recovery/registry-index.ts';
import { redisHarness, testRedis } from '../testing/test-redis.ts';
import { createRegistryReader, createRunLog, redisNowMs } from './registry-reader.ts';
import { countStoredBytes, readAllStoredBytes } from './stored-bytes.ts';

async function runTimes(count: number) {
  const test = testRedis();
  const store = redisHarness(test);
  const terms: string[] = [];
  for (let run = 0; run < count; run += 1) {
    const { lease } = await acquire(store, 'alpha');
    await store.runStore.finish(lease, { changes: {}, run: testRun(lease) });
    terms.unshift(lease.term);
  }
  return { ...test, store, terms, log: createRunLog(test) };
}

describe('the run log', () => {
  test('is read page by page, newest first', async () => {
    const { log, terms } = await runTimes(5);
    const first = await log.list('alpha', { limit: 2 });
    expect(first.runs.map(({ term }) => term)).toEqual(terms.slice(0, 2));
    const second = await log.list('alpha', { limit: 2, before: first.next ?? '' });
    expect(second.runs.map(({ term }) => term)).toEqual(terms.slice(2, 4));
    const third = await log.list('alpha', { limit: 2, before: second.next ?? '' });
    expect(third.runs.map(({ term }) => term)).toEqual(terms.slice(4));
    expect(third.next).toBeUndefined();
  });

  test('has no next page after a page that just fits', async () => {
    const { log } = await runTimes(2);
    expect((await log.list('alpha', { limit: 2 })).next).toBeUndefined();
    expect(await log.list('beta', { limit: 2 })).toEqual({ runs: [] });
  });

  test('finds a run by its term', async () => {
    const { log, terms } = await runTimes(2);
    expect(await log.get('alpha', terms[1] ?? '')).toMatchObject({ term: terms[1] });
    expect(await log.get('alpha', '1')).toBeUndefined();
  });

  test('keeps about 500 runs', async () => {
    const { redis, keys, log } = await runTimes(800);
    expect(await redis.xlen(keys.runs('alpha'))).toBeLessThan(650);
    expect((await log.list('alpha', { limit: 500 })).runs).toHaveLength(500);
  });
});

describe('the registry reader', () => {
  test('returns status and control of each given registry, even of one that never ran', async () => {
    const test = testRedis();
    const store = redisHarness(test);
    const { lease } = await acquire(store, 'alpha', { purpose: { kind: 'request', force: true } });
    const beforeMs = await redisNowMs(test.redis);
    const { nowMs, registries } = await createRegistryReader(test).readMany(['alpha', 'beta']);
    expect(nowMs).toBeGreaterThanOrEqual(beforeMs);
    expect(nowMs).toBeLessThanOrEqual(await redisNowMs(test.redis));
    expect(registries.get('alpha')).toMatchObject({
      status: { phase: 'Syncing', term: lease.term },
      control: { requested: 1, force: true },
    });
    expect(registries.get('beta')).toMatchObject({
      status: { phase: 'Pending' },
      control: { requested: 0 },
    });
  });
});

describe('the registry index', () => {
  const GRACE_MS = 600_000;

  async function tracked() {
    const test = testRedis();
    const store = redisHarness(test);
    const { lease } = await acquire(store, 'alpha');
    const run = testRun(lease);
    await store.runStore.finish(lease, { changes: {}, run });
    await acquire(store, 'beta');
    const track = (names: string[], nowMs: number) =>
      trackRegistries({ ...test, names, nowMs, graceMs: GRACE_MS });
    const keysOf = async (registry: string) => test.redis.keys(`${test.prefix}:{${registry}}:*`);
    return { ...test, store, track, keysOf };
  }

  test('removes the data of a registry only after the grace time', async () => {
    const { track, keysOf } = await tracked();
    expect(await track(['alpha', 'beta'], 1_000)).toEqual([]);
    expect(await track(['beta'], 2_000)).toEqual([]);
    expect(await track(['beta'], 2_000 + GRACE_MS - 1)).toEqual([]);
    expect(await keysOf('alpha')).not.toEqual([]);
    expect(await track(['beta'], 2_000 + GRACE_MS)).toEqual(['alpha']);
    expect(await keysOf('alpha')).toEqual([]);
    expect(await keysOf('beta')).not.toEqual([]);
    expect(await track(['beta'], 3_000 + GRACE_MS)).toEqual([]);
  });

  test('no longer counts the bytes of a removed registry', async () => {
    const { track, redis, keys, store } = await tracked();
    for (const registry of ['alpha', 'gamma']) {
      const { lease } = await acquire(store, registry);
      await store.snapshots.readStoredBytes(registry);
      await store.snapshots.writeChunks(lease, [testBlob('12345')]);
    }
    expect(await store.snapshots.readStoredBytes('gamma')).toMatchObject({ total: 10 });
    await track(['alpha', 'beta', 'gamma'], 1_000);
    await track(['beta', 'gamma'], 2_000);
    await track(['beta', 'gamma'], 2_000 + GRACE_MS);
    expect(await readAllStoredBytes({ redis, keys })).toEqual(new Map([['gamma', 5]]));
    expect(await store.snapshots.readStoredBytes('gamma')).toMatchObject({ total: 5 });
  });

  test('keeps the data of a registry that returns in time, and restarts its grace time', async () => {
    const { track, keysOf } = await tracked();
    await track(['alpha', 'beta'], 1_000);
    await track(['beta'], 2_000);
    await track(['alpha', 'beta'], 3_000);
    expect(await track(['beta'], 4_000 + GRACE_MS)).toEqual([]);
    expect(await keysOf('alpha')).not.toEqual([]);
  });
});

test('bytes that an older version has stored are counted, once', async () => {
  const test = testRedis();
  const store = redisHarness(test);
  const { lease } = await acquire(store, 'alpha');
  await store.snapshots.writeChunks(lease, [testBlob('12345')]);
  await store.snapshots.writeManifest(lease, testBlob('123'));
  const names = ['alpha', 'beta'];
  for (let pass = 0; pass < 2; pass += 1) {
    await countStoredBytes(test, names);
    expect(await readAllStoredBytes(test)).toEqual(
      new Map([
        ['alpha', 8],
        ['beta', 0],
      ]),
    );
  }
  expect(await store.snapshots.readStoredBytes('beta')).toMatchObject({
    total: 8,
    registryCount: 2,
  });
});

test('only one process claims an empty Redis', async () => {
  const test = testRedis();
  const claims = await Promise.all([claimEpoch(test), claimEpoch(test), claimEpoch(test)]);
  expect(claims.filter(Boolean)).toHaveLength(1);
  expect(await claimEpoch(test)).toBe(false);
});
