import { decodeManifest } from '@syncline/snapshot';
import { expect, test } from 'vitest';
import {
  configOf,
  createSyncHarness,
  ran,
  servers,
  suiteIngestPool,
} from '../testing/sync-harness.ts';
import { createOperations } from './operations.ts';

const ingest = suiteIngestPool();
const MINUTE_MS = 60_000;
const EVEN = { names: { exclude: ['*1', '*3'] } };
const ODD = { names: { include: ['*1', '*3'] } };
const LOW = { names: { include: ['*0', '*1'] } };

type FilterInput = NonNullable<Parameters<typeof configOf>[0]['filter']>;

/** A registry that was synced once, and its operator. */
async function createOperated(filter: FilterInput = {}) {
  const sync = createSyncHarness({ ingest, config: configOf({ name: 'alpha', filter }) });
  const registry = sync.state.of('alpha');
  const operations = createOperations({
    operators: {
      suspend: async () => {},
      resume: async () => {
        registry.control = { ...registry.control, pinned: undefined };
      },
      pinned: async () => registry.control.pinned,
      setPinned: async (_registry, pinned) => {
        registry.control = { ...registry.control, pinned };
      },
      held: async () => sync.status()?.held?.snapshot,
      requestDependents: async () => {},
    },
    runStore: sync.deps.runStore,
    snapshots: sync.snapshots,
    owner: 'operator',
    registryOf: async (name) => {
      await sync.config.refresh();
      return sync.config.registry(name);
    },
    dependentsOf: () => [],
  });
  const edit = (next: FilterInput) =>
    sync.config.replace(configOf({ name: 'alpha', filter: next }));
  /** Changes the rows of the upstream, and runs the registry. */
  const change = async (rows: object[]) => {
    sync.clock.advance(MINUTE_MS);
    sync.upstream.rows = rows;
    sync.upstream.revision = `of ${sync.clock.now()}`;
    return ran(await sync.sync());
  };
  sync.upstream.rows = servers(5);
  await sync.sync();
  return { sync, registry, operations, edit, change, first: sync.status()?.snapshot ?? '' };
}

async function manifestOf({ sync }: Pick<Awaited<ReturnType<typeof createOperated>>, 'sync'>) {
  const digest = sync.status()?.snapshot ?? '';
  const bytes = await sync.snapshots.readManifest('alpha', digest);
  if (bytes === undefined) throw new Error('expected the manifest that is served');
  return decodeManifest({ digest, bytes });
}

test('a rollback serves the snapshot unchanged if it was built with the current filter', async () => {
  const operated = await createOperated(EVEN);
  const { sync, operations, change, first } = operated;
  const { mirror } = sync.status() ?? {};
  await change(servers(7));
  expect(await operations.rollback('alpha', { snapshot: first })).toEqual({ snapshot: first });
  expect(sync.status()).toMatchObject({ snapshot: first, mirror });
  await operations.resume({ name: 'alpha', suspended: false });
  expect(ran(await sync.sync())).toMatchObject({ outcome: 'published', diff: { added: 2 } });
});

test.each<[before: FilterInput, after: FilterInput, served: string[]]>([
  [{}, EVEN, ['server-000', 'server-002', 'server-004']],
  [EVEN, ODD, ['server-001', 'server-003']],
  [EVEN, {}, ['server-000', 'server-001', 'server-002', 'server-003', 'server-004']],
])(
  'a rollback to a snapshot with the filter %j applies the current filter %j to its mirror',
  async (before, after, served) => {
    const operated = await createOperated(before);
    const { sync, registry, operations, edit, change, first } = operated;
    await change(servers(9));
    edit(after);
    const { fetches } = sync.upstream.counts;
    const { snapshot } = await operations.rollback('alpha', { snapshot: first.slice(0, 12) });
    expect(snapshot).not.toBe(first);
    expect(await sync.served()).toEqual(served);
    expect(sync.status()).toMatchObject({ snapshot, versionCount: served.length });
    expect(registry.control.pinned).toBe(snapshot);
    expect(registry.supersededAtMs.has(snapshot)).toBe(false);
    // The status has the filter of the served snapshot, so the next edit uses the same mirror.
    await operations.resume({ name: 'alpha', suspended: false });
    edit(LOW);
    expect(ran(await sync.sync())).toMatchObject({
      outcome: 'published',
      reason: 'filter-changed',
    });
    expect(await sync.served()).toEqual(['server-000', 'server-001']);
    expect(sync.upstream.counts.fetches).toBe(fetches);
  },
);

test('a rollback to a mirror that was never served is rejected', async () => {
  const { sync, operations } = await createOperated(EVEN);
  const { mirror = '' } = sync.status() ?? {};
  await expect(operations.rollback('alpha', { snapshot: mirror })).rejects.toMatchObject({
    code: 'unknown-snapshot',
  });
});

test('a rollback works while a served chunk is damaged', async () => {
  const operated = await createOperated(EVEN);
  const { sync, registry, operations, edit, change, first } = operated;
  await change(servers(7));
  edit(ODD);
  const [chunk] = (await manifestOf(operated)).chunks;
  registry.chunks.set(chunk?.digest ?? '', Buffer.from('damaged'));
  await operations.rollback('alpha', { snapshot: first });
  expect(await sync.served()).toEqual(['server-001', 'server-003']);
});

test('an approval publishes exactly the held snapshot, and its filter stays in force', async () => {
  const operated = await createOperated(EVEN);
  const { sync, operations, edit, change } = operated;
  expect(await change(servers(2))).toMatchObject({ outcome: 'held' });
  const held = sync.status()?.held?.snapshot ?? '';
  expect(await operations.approve('alpha', { snapshot: held })).toEqual({ snapshot: held });
  expect(await sync.served()).toEqual(['server-000']);
  const { fetches } = sync.upstream.counts;
  edit(LOW);
  expect(ran(await sync.sync())).toMatchObject({ reason: 'filter-changed' });
  expect(sync.upstream.counts.fetches).toBe(fetches);
  expect(await sync.served()).toEqual(['server-000', 'server-001']);
});

test('an approval is rejected and changes nothing if the filter has changed since', async () => {
  const { sync, operations, edit, change, first } = await createOperated();
  await change(servers(2));
  const held = sync.status()?.held?.snapshot ?? '';
  edit(ODD);
  await expect(operations.approve('alpha', { snapshot: held })).rejects.toMatchObject({
    code: 'unknown-snapshot',
    message: expect.stringContaining('the filter has changed since'),
  });
  expect(sync.status()).toMatchObject({ snapshot: first, held: { snapshot: held } });
  expect(sync.status()?.owner).toBeUndefined();
});

test('the same rows held under another filter are another snapshot, and can be approved', async () => {
  const { sync, operations, edit, change } = await createOperated(EVEN);
  await change(servers(1));
  const held = sync.status()?.held?.snapshot;
  // The same row passes both.
  edit(LOW);
  expect(ran(await sync.sync())).toMatchObject({ outcome: 'published' });
  expect(ran(await sync.sync())).toMatchObject({ outcome: 'held' });
  const again = sync.status()?.held?.snapshot ?? '';
  expect(again).not.toBe(held);
  await operations.approve('alpha', { snapshot: again });
  expect(await sync.served()).toEqual(['server-000']);
});
