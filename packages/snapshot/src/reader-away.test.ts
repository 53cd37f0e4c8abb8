import { expect, test } from 'vitest';
import { createSnapshotReader } from './reader.ts';
import { createSnapshotHarness } from './testing/snapshot-harness.ts';
import { storeRows } from './testing/test-snapshots.ts';

const AWAY = new Error('away');
type Operation = 'readPointer' | 'readManifest' | 'readChunks';

/** Creates a reader of a store that can be away, completely or for single operations. */
function setUp() {
  const { acquire, publish: serve, snapshots, clock: storeClock } = createSnapshotHarness();
  const away = new Set<Operation>();
  const unless = async <Answer>(operation: Operation, answer: () => Promise<Answer>) => {
    if (away.has(operation)) throw AWAY;
    return answer();
  };
  const clock = { nowMs: 0, monotonic: () => clock.nowMs };
  const reader = createSnapshotReader({
    store: {
      readPointer: (registry) => unless('readPointer', () => snapshots.readPointer(registry)),
      readManifest: (registry, digest) =>
        unless('readManifest', () => snapshots.readManifest(registry, digest)),
      readChunks: (registry, digests) =>
        unless('readChunks', () => snapshots.readChunks(registry, digests)),
    },
    isAway: (error) => error === AWAY,
    clock,
  });
  const publish = async (registry: string, ...names: readonly string[]) => {
    const lease = acquire(registry);
    const { nowMs } = storeClock;
    const rows = names.map((name) => ({ name, version: '1', description: 'x' }));
    const { publication } = await storeRows(snapshots, { lease, rows, nowMs });
    serve(registry, publication);
  };
  const read = async (registry: string) => {
    const snapshot = await reader.open(registry);
    const names: string[] = [];
    for await (const { server } of snapshot?.rows() ?? []) names.push(server.name);
    return { names, ageMs: snapshot?.ageMs };
  };
  const leave = (...operations: readonly Operation[]) => {
    for (const operation of operations) away.add(operation);
  };
  return { publish, read, leave, back: () => away.clear(), clock, reader };
}

const ALL = ['readPointer', 'readManifest', 'readChunks'] as const;

test('reads known snapshots with their age while the store is away, and new ones after that', async () => {
  const { publish, read, leave, back, clock } = setUp();
  await publish('alpha', 'a', 'b');
  expect(await read('alpha')).toEqual({ names: ['a', 'b'], ageMs: undefined });
  leave(...ALL);
  await publish('alpha', 'c');
  clock.nowMs = 5_000;
  expect(await read('alpha')).toEqual({ names: ['a', 'b'], ageMs: 5_000 });
  back();
  expect(await read('alpha')).toEqual({ names: ['c'], ageMs: undefined });
  leave(...ALL);
  expect(await read('alpha')).toMatchObject({ names: ['c'] });
});

test('the old snapshot stays readable if the store fails after the new pointer was read', async () => {
  const { publish, read, leave } = setUp();
  await publish('alpha', 'a');
  await read('alpha');
  await publish('alpha', 'b');
  leave('readManifest', 'readChunks');
  expect(await read('alpha')).toMatchObject({ names: ['a'] });
  leave('readPointer');
  expect(await read('alpha')).toMatchObject({ names: ['a'] });
});

test('throws the error of the store for a chunk that was never read', async () => {
  const { publish, read, leave, reader } = setUp();
  await publish('alpha', 'a');
  await reader.open('alpha');
  leave(...ALL);
  await expect(read('alpha')).rejects.toBe(AWAY);
  await expect(read('never')).rejects.toBe(AWAY);
});

test('keeps the served manifest of every registry, however many there are', async () => {
  const { publish, read, leave } = setUp();
  const registries = Array.from({ length: 100 }, (_, index) => `registry-${index}`);
  for (const registry of registries) {
    await publish(registry, registry);
    await read(registry);
  }
  leave(...ALL);
  for (const registry of registries) expect((await read(registry)).names).toEqual([registry]);
});

test('throws every error by default', async () => {
  const { acquire, publish: serve, snapshots, clock: storeClock } = createSnapshotHarness();
  const lease = acquire('alpha');
  const { nowMs } = storeClock;
  const { publication } = await storeRows(snapshots, { lease, rows: [], nowMs });
  serve('alpha', publication);
  let isAway = false;
  const reader = createSnapshotReader({
    store: {
      ...snapshots,
      readPointer: (registry) => (isAway ? Promise.reject(AWAY) : snapshots.readPointer(registry)),
    },
  });
  expect((await reader.open('alpha'))?.rowCount).toBe(0);
  isAway = true;
  await expect(reader.open('alpha')).rejects.toBe(AWAY);
});
