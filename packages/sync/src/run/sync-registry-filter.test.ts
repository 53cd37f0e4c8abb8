import { changeStatus, PENDING_STATUS } from '@syncline/contract';
import { OFFICIAL_META } from '@syncline/rows';
import { decodeManifest } from '@syncline/snapshot';
import { storeRows } from '@syncline/snapshot/testing';
import { DeltaUpstream } from '@syncline/sources/testing';
import { describe, expect, test } from 'vitest';
import { createManager } from '../perform/manager.ts';
import {
  configOf,
  createSyncHarness,
  ran,
  request,
  type SyncHarness,
  servers,
  suiteIngestPool,
  TICK,
} from '../testing/sync-harness.ts';
import { syncRegistry } from './sync-registry.ts';

const ingest = suiteIngestPool();
const MINUTE_MS = 60_000;
const EVEN = { names: { exclude: ['*1', '*3'] } };
const ODD = { names: { include: ['*1', '*3'] } };

type FilterInput = NonNullable<Parameters<typeof configOf>[0]['filter']>;

function configWith(filter?: FilterInput) {
  return configOf({ name: 'alpha', ...(filter === undefined ? {} : { filter }) });
}

/** A registry of five servers, synced once with a filter. */
async function createFiltered(filter?: FilterInput) {
  const sync = createSyncHarness({ ingest, config: configWith(filter) });
  sync.upstream.rows = servers(5);
  await sync.sync();
  const asked = { ...sync.upstream.counts };
  return {
    sync,
    /** Edits the filter in the config, and runs the registry once. */
    async edit(next?: FilterInput, tick = TICK) {
      sync.config.replace(configWith(next));
      sync.clock.advance(MINUTE_MS);
      return ran(await sync.sync(tick));
    },
    expectNoRequest: () => expect(sync.upstream.counts).toEqual(asked),
  };
}

async function stamps(sync: SyncHarness): Promise<Record<string, number>> {
  const rows = await Array.fromAsync((await sync.open())?.rows() ?? []);
  return Object.fromEntries(
    rows.map(({ server: { name }, _meta }) => [name, Date.parse(_meta[OFFICIAL_META].updatedAt)]),
  );
}

async function manifestOf(sync: SyncHarness, digest = sync.status()?.snapshot) {
  const bytes = await sync.snapshots.readManifest('alpha', digest ?? '');
  if (bytes === undefined) throw new Error(`expected the manifest ${digest}`);
  return decodeManifest({ digest: digest ?? '', bytes });
}

describe('an edited filter', () => {
  test.each<
    [what: string, from: FilterInput | undefined, to: FilterInput | undefined, served: number[]]
  >([
    ['added', undefined, EVEN, [0, 2, 4]],
    ['replaced', EVEN, ODD, [1, 3]],
    ['removed', EVEN, undefined, [0, 1, 2, 3, 4]],
  ])('that was %s needs no request to the upstream', async (_what, from, to, served) => {
    const { sync, edit, expectNoRequest } = await createFiltered(from);
    const before = await stamps(sync);
    const status = sync.status();
    const run = await edit(to);
    expect(run).toMatchObject({ outcome: 'published', reason: 'filter-changed' });
    expect(run.upstream).toEqual({ requests: 0, bytes: 0 });
    expectNoRequest();
    const names = served.map((index) => `server-00${index}`);
    const after = await stamps(sync);
    expect(Object.keys(after)).toEqual(names);
    // Clients that follow the changes must see a row that was not served before.
    for (const name of names) expect(after[name]).toBe(before[name] ?? sync.clock.now());
    expect(sync.status()).toMatchObject({
      phase: 'Complete',
      versionCount: served.length,
      revision: 'r1',
      lastSyncAt: status?.lastSyncAt,
      lastSuccessAt: status?.lastSuccessAt,
    });
    expect(ran(await sync.sync())).toMatchObject({ outcome: 'unchanged' });
    expect(sync.upstream.counts.fetches).toBe(1);
  });

  test('takes effect while the upstream fails, and the status still shows the failure', async () => {
    const { sync, edit } = await createFiltered(EVEN);
    sync.upstream.revision = 'r2';
    sync.upstream.beforeFetch = () => Promise.reject(new Error('away'));
    await sync.sync();
    const failed = sync.status();
    expect(failed).toMatchObject({ phase: 'Failed', message: 'away' });
    const asked = { ...sync.upstream.counts };
    sync.config.replace(configWith(ODD));
    expect(ran(await sync.sync())).toMatchObject({ outcome: 'published' });
    expect(await sync.served()).toEqual(['server-001', 'server-003']);
    expect(sync.upstream.counts).toEqual(asked);
    const { errorCode, message, consecutiveFailures, nextDueAt } = failed ?? {};
    expect(sync.status()).toMatchObject({
      phase: 'Failed',
      errorCode,
      message,
      consecutiveFailures,
      nextDueAt,
    });
    sync.upstream.beforeFetch = () => {};
    expect(await edit(ODD)).toMatchObject({ outcome: 'unchanged' });
    expect(sync.status()).toMatchObject({ phase: 'Complete', revision: 'r2' });
  });

  test('is applied to a new fetch of the source if a request forces it', async () => {
    const { sync, edit } = await createFiltered(EVEN);
    await edit(ODD, request({ force: true }));
    expect(sync.upstream.counts.fetches).toBe(2);
    expect(await sync.served()).toEqual(['server-001', 'server-003']);
  });

  test('that removes all rows is held, and later runs fetch the source', async () => {
    const { sync, edit, expectNoRequest } = await createFiltered(EVEN);
    const nothing = { names: { include: ['nothing'] } };
    expect(await edit(nothing)).toMatchObject({ outcome: 'held' });
    expectNoRequest();
    expect(await sync.served()).toHaveLength(3);
    sync.upstream.rows = [...servers(5), { name: 'nothing', version: '1', description: 'x' }];
    expect(await edit(nothing)).toMatchObject({ outcome: 'published' });
    expect(await sync.served()).toEqual(['nothing']);
  });

  test('that is edited back and forth needs no upstream, and keeps the mirror', async () => {
    const { sync, edit, expectNoRequest } = await createFiltered(EVEN);
    for (const filter of [ODD, EVEN, undefined, ODD]) await edit(filter);
    expectNoRequest();
    expect(await sync.served()).toEqual(['server-001', 'server-003']);
    const { mirror } = await manifestOf(sync);
    expect(sync.status()?.mirror).toBe(mirror);
    expect((await manifestOf(sync, mirror)).rowCount).toBe(5);
  });
});

describe('the mirror', () => {
  test('is the served snapshot if there is no filter', async () => {
    const { sync } = await createFiltered();
    expect(sync.status()).not.toHaveProperty('mirror');
    expect(sync.state.of('alpha').manifests.size).toBe(1);
    expect(await manifestOf(sync)).not.toHaveProperty('filterHash');
  });

  test('changes while the served snapshot stays, if only filtered-out rows change', async () => {
    const { sync, edit } = await createFiltered(EVEN);
    const { snapshot, mirror } = sync.status() ?? {};
    sync.clock.advance(MINUTE_MS);
    sync.upstream.rows = servers(5).map((row, index) =>
      index === 3 ? { ...row, description: 'changed' } : row,
    );
    sync.upstream.revision = 'r2';
    expect(ran(await sync.sync())).toMatchObject({ outcome: 'unchanged' });
    expect(sync.status()).toMatchObject({ snapshot, revision: 'r2' });
    expect(sync.status()?.mirror).not.toBe(mirror);
    const { fetches } = sync.upstream.counts;
    await edit(ODD);
    expect(sync.upstream.counts.fetches).toBe(fetches);
    const [, changed] = await Array.fromAsync((await sync.open())?.rows() ?? []);
    expect(changed?.server['description']).toBe('changed');
  });

  test.each(['manifest', 'chunk', 'damaged chunk'])(
    'with a missing or damaged part is read from the source, and the served snapshot stays: %s',
    async (what) => {
      const { sync, edit } = await createFiltered(EVEN);
      const { mirror = '' } = sync.status() ?? {};
      const { manifests, chunks } = sync.state.of('alpha');
      const [chunk] = (await manifestOf(sync, mirror)).chunks;
      if (what === 'manifest') manifests.delete(mirror);
      else if (what === 'chunk') chunks.delete(chunk?.digest ?? '');
      else chunks.set(chunk?.digest ?? '', Buffer.from('damaged'));
      sync.upstream.beforeFetch = async () => {
        expect(await sync.served()).toHaveLength(3);
      };
      expect(await edit(ODD)).toMatchObject({ outcome: 'published', reason: 'filter-changed' });
      expect(sync.upstream.counts.fetches).toBe(2);
      expect(await sync.served()).toEqual(['server-001', 'server-003']);
    },
  );

  test('is not used after a worker of an older version has synced', async () => {
    const { sync, edit } = await createFiltered(EVEN);
    const registry = sync.state.of('alpha');
    const lastSyncAt = new Date(sync.clock.now() + 1).toISOString();
    registry.status = changeStatus(registry.status ?? PENDING_STATUS, { lastSyncAt });
    await edit(ODD);
    expect(sync.upstream.counts.fetches).toBe(2);
  });
});

describe('a snapshot of the previous version', () => {
  /** A registry whose snapshot has only the filtered rows, and whose status has no mirror. */
  async function createUpgraded(filter: FilterInput | undefined, rows: readonly object[]) {
    const sync = createSyncHarness({ ingest, config: configWith(filter) });
    sync.upstream.rows = servers(5);
    await sync.sync();
    const registry = sync.state.of('alpha');
    const { status } = registry;
    if (status === undefined) throw new Error('expected a status');
    registry.manifests.clear();
    registry.chunks.clear();
    const acquired = await sync.deps.runStore.acquire({
      registry: 'alpha',
      owner: 'old',
      ttlMs: 1_000,
      purpose: { kind: 'tick' },
    });
    if (acquired.state !== 'acquired') throw new Error('expected the lease');
    const { publication } = await storeRows(sync.snapshots, {
      lease: acquired.lease,
      rows,
      nowMs: sync.clock.now(),
    });
    const changes = { ...status, snapshot: publication.manifest };
    await sync.deps.runStore.publishAndFinish(
      acquired.lease,
      { changes: { ...changes, mirror: undefined, mirrorSyncAt: undefined } },
      publication,
    );
    return { sync, old: publication.manifest };
  }

  test('is its own mirror if there is no filter', async () => {
    const { sync, old } = await createUpgraded(undefined, servers(5));
    const { fetches } = sync.upstream.counts;
    expect(ran(await sync.sync())).toMatchObject({ outcome: 'unchanged' });
    sync.config.replace(configWith(EVEN));
    expect(ran(await sync.sync())).toMatchObject({ outcome: 'published' });
    expect(sync.upstream.counts.fetches).toBe(fetches);
    expect(await sync.served()).toEqual(['server-000', 'server-002', 'server-004']);
    expect(sync.status()?.mirror).toBe(old);
  });

  test('with a filter is still served, and the first run adds its mirror', async () => {
    const passing = servers(5).filter((_, index) => index % 2 === 0);
    const { sync, old } = await createUpgraded(EVEN, passing);
    const { fetches } = sync.upstream.counts;
    expect(ran(await sync.sync())).toMatchObject({ outcome: 'unchanged', reason: 'reconcile-due' });
    expect(sync.upstream.counts.fetches).toBe(fetches + 1);
    expect(sync.status()?.snapshot).toBe(old);
    sync.config.replace(configWith(ODD));
    expect(ran(await sync.sync())).toMatchObject({ outcome: 'published' });
    expect(sync.upstream.counts.fetches).toBe(fetches + 1);
    expect(await sync.served()).toEqual(['server-001', 'server-003']);
  });
});

describe('a source that gives deltas', () => {
  function createDelta(filter?: FilterInput) {
    const sync = createSyncHarness({ ingest, config: configWith(filter) });
    const upstream = new DeltaUpstream();
    const given: string[] = [];
    const createSource = () => {
      const source = upstream.open();
      return {
        ...source,
        fetch: async (...args: Parameters<typeof source.fetch>) => {
          const reading = await source.fetch(...args);
          given.push(reading.kind);
          return reading;
        },
      };
    };
    const manager = createManager({ createSource, ingest, snapshots: sync.snapshots });
    const run = async () => {
      sync.clock.advance(MINUTE_MS);
      const tick = syncRegistry({ ...sync.deps, manager }, TICK, new AbortController().signal);
      return ran(await tick);
    };
    return { sync, upstream, given, run };
  }

  const row = (name: string, description = 'x') => ({ name, version: '1', description });

  test.each<[FilterInput | undefined, string[], string[]]>([
    [undefined, ['a', 'b', 'c'], ['a', 'c', 'd']],
    [{ names: { exclude: ['c'] } }, ['a', 'b'], ['a', 'd']],
  ])('with the filter %j has each delta applied to the mirror', async (filter, first, second) => {
    const { sync, upstream, given, run } = createDelta(filter);
    upstream.publish([row('a'), row('b'), row('c')]);
    await run();
    expect(await sync.served()).toEqual(first);
    upstream.publish([row('a', 'changed'), row('c'), row('d')]);
    expect(await run()).toMatchObject({ diff: { added: 1, updated: 1, removed: 1 } });
    expect(await sync.served()).toEqual(second);
    expect(given).toEqual(['whole', 'delta']);
    sync.config.replace(configWith({ names: { include: ['c', 'd'] } }));
    await run();
    expect(await sync.served()).toEqual(['c', 'd']);
    expect(given).toHaveLength(2);
  });

  test('is read completely if the mirror is damaged or a full read is due', async () => {
    const { sync, upstream, given, run } = createDelta();
    upstream.publish([row('a'), row('b')]);
    await run();
    upstream.publish([row('a'), row('b', 'changed')]);
    for (const digest of sync.state.of('alpha').chunks.keys()) {
      sync.state.of('alpha').chunks.set(digest, Buffer.from('damaged'));
    }
    await run();
    expect(given).toEqual(['whole', 'delta', 'whole']);
    expect(await sync.served()).toEqual(['a', 'b']);
    upstream.publish([row('a'), row('b'), row('c')]);
    sync.clock.advance(24 * 60 * MINUTE_MS);
    await run();
    expect(given).toEqual(['whole', 'delta', 'whole', 'whole']);
  });
});
