import { type ConfigInput, PENDING_STATUS, statusFields } from '@syncline/contract';
import { createSnapshotReader } from '@syncline/snapshot';
import { storeRows } from '@syncline/snapshot/testing';
import { filterHash, sourceHash, type TickHandler } from '@syncline/sync';
import { Coordinator } from '@syncline/sync/coordinator';
import { createManager, IngestPool } from '@syncline/sync/perform';
import {
  acquire,
  createRecordingLogger,
  createRecordingObserver,
  createStaticConfigSource,
  testBudget,
} from '@syncline/sync/testing';
import { afterAll, expect, onTestFinished, test } from 'vitest';
import { redisHarness, testRedis } from '../testing/test-redis.ts';

const ROWS = ['a', 'b', 'c', 'd'].map((name) => ({ name, version: '1', description: 'x' }));
const ingest = new IngestPool({ heavyRuns: 1, memory: testBudget() });
afterAll(() => ingest.close());

type Filter = NonNullable<ConfigInput['registries'][number]['filter']>;
const only = (...include: string[]): Filter => ({ names: { include } });

function configOf(filter: Filter | undefined): ConfigInput {
  const file = { path: '/not/read' };
  return { registries: [{ name: 'alpha', file, ...(filter === undefined ? {} : { filter }) }] };
}

/** Creates a Redis with one registry that the previous version left, and starts a coordinator of this version. */
async function upgrade(filter: Filter | undefined, served: readonly string[]) {
  const redis = testRedis();
  const store = redisHarness(redis);
  const config = createStaticConfigSource(configOf(filter));
  const registry = config.registry('alpha');
  if (registry === undefined) throw new Error('expected alpha in the config');

  // The previous version stores the filtered rows, in a manifest that names neither mirror nor filter.
  const { lease, nowMs } = await acquire(store, 'alpha');
  const rows = ROWS.filter(({ name }) => served.includes(name));
  const { publication } = await storeRows(store.snapshots, { lease, rows, nowMs });
  await store.runStore.publishAndFinish(lease, { changes: {} }, publication);
  const now = new Date(nowMs).toISOString();
  const { set } = statusFields({
    ...PENDING_STATUS,
    phase: 'Complete',
    snapshot: publication.manifest,
    revision: 'r1',
    sourceHash: sourceHash(registry),
    filterHash: filterHash(registry),
    lastSyncAt: now,
    lastSuccessAt: now,
    lastChangeAt: now,
    versionCount: rows.length,
  });
  await redis.redis.hset(redis.keys.status('alpha'), set);

  const reader = createSnapshotReader({ store: store.snapshots });
  const servedNames = async () => {
    const found = await Array.fromAsync((await reader.open('alpha'))?.rows() ?? []);
    return found.map(({ server }) => server.name);
  };
  const asked = { probes: 0, fetches: 0, seen: [] as string[][] };
  const source = {
    probe: async (known: string) => {
      asked.probes += 1;
      return { state: known === 'r1' ? ('unchanged' as const) : ('changed' as const) };
    },
    fetch: async (take: (body: Uint8Array) => Promise<unknown>) => {
      asked.fetches += 1;
      asked.seen.push(await servedNames());
      await take(Buffer.from(JSON.stringify({ servers: ROWS })));
      return { kind: 'whole' as const, revision: 'r1' };
    },
  };
  const { promise, resolve } = Promise.withResolvers<TickHandler>();
  const coordinator = new Coordinator({
    manager: createManager({ createSource: () => source, ingest, snapshots: store.snapshots }),
    memory: ingest.memory,
    status: store.status,
    runStore: store.runStore,
    config,
    tickSource: { start: async (handle) => resolve(handle), stop: async () => {} },
    logger: createRecordingLogger(),
    observer: createRecordingObserver(),
    owner: 'upgraded',
  });
  onTestFinished(() => coordinator.stop());
  await coordinator.start();
  const handle = await promise;
  const run = async () => {
    const purpose = { kind: 'tick' } as const;
    const tick = { registry: 'alpha', trigger: 'schedule', force: false, purpose } as const;
    const result = await handle(tick, new AbortController().signal);
    return result.state === 'ran' ? result.run : result;
  };
  const edit = (next: Filter | undefined) => config.replace(configOf(next));
  return { ...store, ...publication, asked, run, edit, servedNames };
}

test('the snapshot of a registry without a filter becomes its own mirror', async () => {
  const live = await upgrade(undefined, ['a', 'b', 'c', 'd']);
  expect(await live.servedNames()).toEqual(['a', 'b', 'c', 'd']);
  expect(await live.run()).toMatchObject({ outcome: 'unchanged' });
  expect(live.asked).toMatchObject({ probes: 1, fetches: 0 });
  live.edit(only('b', 'c'));
  expect(await live.run()).toMatchObject({
    outcome: 'published',
    reason: 'filter-changed',
    diff: { removed: 2 },
  });
  expect(await live.servedNames()).toEqual(['b', 'c']);
  live.edit(undefined);
  expect(await live.run()).toMatchObject({ outcome: 'published', diff: { added: 2 } });
  expect(await live.servedNames()).toEqual(['a', 'b', 'c', 'd']);
  expect(live.asked).toMatchObject({ probes: 1, fetches: 0 });
});

test('a registry with a filter is still served while its first run fetches the mirror, and needs no other fetch', async () => {
  const live = await upgrade(only('a', 'b'), ['a', 'b']);
  expect(await live.servedNames()).toEqual(['a', 'b']);
  expect(await live.run()).toMatchObject({ outcome: 'unchanged', reason: 'reconcile-due' });
  expect(live.asked).toEqual({ probes: 0, fetches: 1, seen: [['a', 'b']] });
  // The served snapshot is the same, so no client has to read it again.
  expect(await live.snapshots.readPointer('alpha')).toBe(live.manifest);
  live.edit(only('c'));
  expect(await live.run()).toMatchObject({ outcome: 'published', reason: 'filter-changed' });
  expect(await live.servedNames()).toEqual(['c']);
  expect(await live.run()).toMatchObject({ state: 'no-op' });
  expect(live.asked).toMatchObject({ probes: 1, fetches: 1 });
});

test('a filter edited before the first run causes one fetch, and the registry is still served meanwhile', async () => {
  const live = await upgrade(only('a', 'b'), ['a', 'b']);
  live.edit(only('b', 'c'));
  expect(await live.run()).toMatchObject({ outcome: 'published', reason: 'filter-changed' });
  expect(live.asked).toEqual({ probes: 0, fetches: 1, seen: [['a', 'b']] });
  expect(await live.servedNames()).toEqual(['b', 'c']);
  live.edit(only('d'));
  expect(await live.run()).toMatchObject({ outcome: 'published', reason: 'filter-changed' });
  expect(await live.servedNames()).toEqual(['d']);
  expect(live.asked).toMatchObject({ fetches: 1 });
});
