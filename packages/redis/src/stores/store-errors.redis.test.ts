import { digestOf, type RedisKeys } from '@syncline/contract';
import type { Publication } from '@syncline/snapshot';
import { storeRows } from '@syncline/snapshot/testing';
import { acquire, createRecordingLogger, testRun } from '@syncline/sync/testing';
import { describe, expect, test } from 'vitest';
import { trackRegistries } from '../recovery/registry-index.ts';
import { sweep } from '../recovery/sweeper.ts';
import { redisHarness, testConfig, testQueue, testRedis } from '../testing/test-redis.ts';
import { createConfigFollower, publishConfig } from './config-store.ts';
import { createRedisOperatorStore } from './operator-store.ts';
import { createRegistryReader, createRunLog } from './registry-reader.ts';
import { createRedisRunStore } from './run-store.ts';

type RegistryKey = (keys: RedisKeys) => string;

/** Runs the registries `alpha` and `beta` once, and then stores a value of another type at a key of alpha. */
async function spoil(key: RegistryKey) {
  const connection = testRedis();
  const { redis, keys } = connection;
  const store = redisHarness(connection);
  const rows = [{ name: 'a', version: '1', description: 'x' }];
  let published: Publication | undefined;
  for (const name of ['beta', 'alpha']) {
    const { lease, nowMs } = await acquire(store, name);
    const { publication } = await storeRows(store.snapshots, { lease, rows, nowMs });
    const ending = { changes: { phase: 'Complete' as const }, run: testRun(lease) };
    await store.runStore.publishAndFinish(lease, ending, publication);
    published = publication;
  }
  if (published === undefined) throw new Error('both were published');
  const spoilt = key(keys);
  await redis.del(spoilt);
  // Syncline uses no sets, so each of its commands on this key fails.
  await redis.sadd(spoilt, 'not ours');
  return { ...connection, ...store, spoilt, publication: published, log: createRunLog(connection) };
}

/** Returns the expected error: it names the key, its type, and the expected type. */
function corrupt(key: string, type: string) {
  return {
    code: 'store-corrupt',
    message: expect.stringContaining(
      `the key ${key} is a set, but must be a ${type}. Delete the key, and sync with force`,
    ),
  };
}

type Spoilt = Awaited<ReturnType<typeof spoil>>;
const beginRun = ({ runStore }: Spoilt, registry = 'alpha') =>
  runStore.acquire({ registry, owner: 'me', ttlMs: 10_000, purpose: { kind: 'tick' } });

describe('a key of another type', () => {
  test.each<
    [what: string, key: RegistryKey, type: string, use: (store: Spoilt) => Promise<unknown>]
  >([
    ['status: a run', (keys) => keys.status('alpha'), 'hash', (store) => beginRun(store)],
    ['status: loading it', (keys) => keys.status('alpha'), 'hash', (it) => it.status.load('alpha')],
    ['control: a run', (keys) => keys.control('alpha'), 'hash', (store) => beginRun(store)],
    [
      'control: a request',
      (keys) => keys.control('alpha'),
      'hash',
      ({ runStore }) =>
        runStore.acquire({
          registry: 'alpha',
          owner: 'me',
          ttlMs: 10_000,
          purpose: { kind: 'request', force: false },
        }),
    ],
    [
      'runs: the log',
      (keys) => keys.runs('alpha'),
      'stream',
      (it) => it.log.list('alpha', { limit: 5 }),
    ],
    [
      'pointer',
      (keys) => keys.snapshot('alpha'),
      'string',
      (it) => it.snapshots.readPointer('alpha'),
    ],
    [
      'manifests',
      (keys) => keys.snapshotManifests('alpha'),
      'hash',
      ({ snapshots }) => snapshots.readManifest('alpha', 'x'),
    ],
    [
      'chunks',
      (keys) => keys.snapshotChunks('alpha'),
      'hash',
      ({ snapshots }) => snapshots.readChunks('alpha', ['x']),
    ],
    [
      'history',
      (keys) => keys.snapshotHistory('alpha'),
      'zset',
      (it) => it.snapshots.history('alpha'),
    ],
    [
      'registries',
      (keys) => keys.registries,
      'zset',
      (it) => trackRegistries({ ...it, names: ['alpha'], nowMs: 1, graceMs: 1 }),
    ],
    [
      'control: an operator',
      (keys) => keys.control('alpha'),
      'hash',
      (it) => createRedisOperatorStore({ ...it, queue: testQueue(it) }).suspend('alpha', {}),
    ],
  ])(
    'fails with the name of the key, and another registry still works: %s',
    async (_what, key, type, use) => {
      const store = await spoil(key);
      await expect(use(store)).rejects.toMatchObject(corrupt(store.spoilt, type));
      expect(await beginRun(store, 'beta')).toMatchObject({ state: 'acquired' });
      expect((await store.log.list('beta', { limit: 5 })).runs).toHaveLength(1);
      expect(await store.snapshots.readPointer('beta')).toBeDefined();
    },
  );

  test.each<[what: string, key: RegistryKey, type: string]>([
    ['runs', (keys) => keys.runs('alpha'), 'stream'],
    ['pointer', (keys) => keys.snapshot('alpha'), 'string'],
    ['manifests', (keys) => keys.snapshotManifests('alpha'), 'hash'],
    ['chunks', (keys) => keys.snapshotChunks('alpha'), 'hash'],
    ['history', (keys) => keys.snapshotHistory('alpha'), 'zset'],
  ])('fails a publication, which then changes nothing: %s', async (_what, key, type) => {
    const store = await spoil(key);
    const { redis, keys, runStore, publication } = store;
    const { lease } = await acquire(store, 'alpha');
    const ending = { changes: { serverCount: 7 }, run: testRun(lease) };
    await expect(runStore.publishAndFinish(lease, ending, publication)).rejects.toMatchObject(
      corrupt(store.spoilt, type),
    );
    expect(await redis.hget(keys.status('alpha'), 'serverCount')).toBeNull();
    expect(await redis.hget(keys.status('alpha'), 'owner')).toBe(lease.owner);
    // The status alone can still be written.
    const alone = { changes: { phase: 'Failed' as const } };
    expect(await runStore.finish(lease, alone)).toEqual({ state: 'finished' });
  });

  test('does not hide other registries from the registry reader', async () => {
    const { redis, keys, ...store } = await spoil((it) => it.status('alpha'));
    const { registries } = await createRegistryReader({ redis, keys }).readMany(['alpha', 'beta']);
    expect(registries.get('alpha')?.status).toMatchObject({
      phase: 'Failed',
      errorCode: 'store-corrupt',
      message: expect.stringContaining(store.spoilt),
    });
    expect(registries.get('beta')?.status).toMatchObject({ phase: 'Complete' });
  });

  test('does not keep the sweep from other registries', async () => {
    const store = await spoil((keys) => keys.control('alpha'));
    const { redis, keys } = store;
    await beginRun(store, 'beta');
    await store.expireLease('beta');
    const queue = testQueue(store);
    const registries = ['alpha', 'beta'];
    expect(await sweep({ redis, keys, queue, registries, owner: 'me', everyMs: 1_000 })).toBe(1);
  });
});

describe('the config', () => {
  const two = digestOf(testConfig('beta'));
  test.each<RegistryKey>([(keys) => keys.config, (keys) => keys.configDocument(two)])(
    'a config key of another type leaves the last valid config in force, and is logged once: %s',
    async (key) => {
      const { redis, keys } = testRedis();
      const logger = createRecordingLogger();
      const follower = createConfigFollower({ redis, keys, logger });
      await publishConfig({ redis, keys }, { input: testConfig('alpha') });
      await follower.refresh();
      await redis.set(keys.config, two);
      await redis.del(key(keys));
      await redis.sadd(key(keys), 'not ours');
      await follower.refresh();
      await follower.refresh();
      expect(follower.registry('alpha')).toBeDefined();
      const said = logger.entries.filter(({ level }) => level === 'error');
      expect(said).toMatchObject([{ fields: { code: 'store-corrupt' } }]);
      await publishConfig({ redis, keys }, { input: testConfig('beta') });
      await follower.refresh();
      expect(follower.registry('beta')).toBeDefined();
    },
  );
});

describe('invalid fields', () => {
  const SPOILT_STATUS = {
    phase: 'Dancing',
    serverCount: 'many',
    startsWithoutFinish: 'nan',
    leaseUntil: 'inf',
    lastSyncAt: 'yesterday',
    errorCode: 'none-of-ours',
    held: '{"snapshot":',
    unknown: 'field',
    revision: 'r1',
  };
  const SPOILT_CONTROL = { requested: 'abc', handled: '-1', force: 'yes', suspended: 'perhaps' };

  async function spoilFields() {
    const connection = testRedis();
    const { redis, keys } = connection;
    const store = redisHarness(connection);
    const { lease } = await acquire(store, 'alpha');
    await redis.hset(keys.status('alpha'), SPOILT_STATUS);
    await redis.hset(keys.control('alpha'), SPOILT_CONTROL);
    return { ...connection, ...store, lease };
  }

  test('are skipped by readers, and the term is still read', async () => {
    const { redis, keys, status, lease } = await spoilFields();
    const { registries } = await createRegistryReader({ redis, keys }).readMany(['alpha']);
    const expected = { phase: 'Pending', serverCount: 0, term: lease.term, revision: 'r1' };
    expect(registries.get('alpha')).toMatchObject({
      status: expected,
      control: { requested: 0, force: false, suspended: false },
    });
    expect(await status.load('alpha')).toMatchObject(expected);
  });

  test('are removed and logged by the next run, which handles requests again', async () => {
    const { redis, keys, lease } = await spoilFields();
    const logger = createRecordingLogger();
    const runStore = createRedisRunStore({ redis, keys, logger });
    const request = { kind: 'request', force: false } as const;
    const take = () =>
      runStore.acquire({ registry: 'alpha', owner: 'me', ttlMs: 10_000, purpose: request });
    const acquired = await take();
    if (acquired.state !== 'acquired') throw new Error('the lease was spoilt, and so is free');
    expect(Number(acquired.lease.term)).toBeGreaterThan(Number(lease.term));
    expect(acquired).toMatchObject({
      status: { revision: 'r1', serverCount: 0, startsWithoutFinish: 1 },
      control: { requested: 1, handled: 0, suspended: false },
    });
    expect(logger.entries).toMatchObject([
      {
        level: 'warn',
        fields: { registry: 'alpha', status: expect.arrayContaining(['serverCount', 'held']) },
      },
    ]);
    const ending = { changes: { phase: 'Complete' as const }, handledRequest: 1 };
    expect(await runStore.finish(acquired.lease, ending)).toEqual({ state: 'finished' });
    expect(await take()).toMatchObject({ control: { requested: 2, handled: 1 } });
    expect(logger.entries).toHaveLength(1);
  });

  test.each(['abc', '-5', '1e300', 'inf', 'nan', '', '99999999999999999999'])(
    'a term of %j is replaced by a term from the clock',
    async (term) => {
      const connection = testRedis();
      const store = redisHarness(connection);
      await connection.redis.hset(connection.keys.status('alpha'), { term, phase: 'Complete' });
      const { lease, nowMs } = await acquire(store, 'alpha');
      expect(Math.abs(Number(lease.term) / 1_000 - nowMs)).toBeLessThan(10_000);
      expect(await store.runStore.finish(lease, { changes: {} })).toEqual({ state: 'finished' });
    },
  );

  test('of runs in the log do not hide valid runs', async () => {
    const connection = testRedis();
    const { redis, keys } = connection;
    const store = redisHarness(connection);
    const { lease } = await acquire(store, 'alpha');
    await store.runStore.finish(lease, { changes: {}, run: testRun(lease) });
    for (const [index, run] of ['{', '{"v":2}', 'null'].entries()) {
      await redis.xadd(keys.runs('alpha'), `${Number(lease.term) + index + 1}-0`, 'run', run);
    }
    const log = createRunLog(connection);
    expect((await log.list('alpha', { limit: 10 })).runs).toMatchObject([{ term: lease.term }]);
    const first = await log.list('alpha', { limit: 3 });
    expect(first.runs).toEqual([]);
    expect((await log.list('alpha', { limit: 3, before: first.next ?? '' })).runs).toHaveLength(1);
  });
});
