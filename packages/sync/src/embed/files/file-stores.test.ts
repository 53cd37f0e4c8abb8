import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { storeSnapshot, testBlob } from '@syncline/snapshot/testing';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { describeRunStore } from '../../testing/describe-run-store.ts';
import { describeSnapshotStore } from '../../testing/describe-snapshot-store.ts';
import { describeStatusPersistence } from '../../testing/describe-status-persistence.ts';
import { createManualClock } from '../../testing/manual-clock.ts';
import { acquire, type StoreHarness, testRun } from '../../testing/store-harness.ts';
import { DataFolder } from './data-folder.ts';
import { openFileStores } from './file-stores.ts';

let directory: string;
let folders: DataFolder[];
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'syncline-files-'));
  folders = [];
});
afterEach(async () => {
  for (const folder of folders) folder.unlock();
  await rm(directory, { recursive: true, force: true });
});

const clock = createManualClock({ nowMs: Date.parse('2026-02-01T12:00:00Z') });

function open(path = join(directory, 'data')) {
  const folder = new DataFolder(path);
  folder.lock();
  folders.push(folder);
  return { folder, ...openFileStores({ folder, clock }) };
}

/** Opens the stores like a process that starts after this one was killed. */
function reopen() {
  for (const folder of folders.splice(0)) folder.unlock();
  return open();
}

function createHarness(): StoreHarness {
  let stores = open();
  return {
    get runStore() {
      return stores.runStore;
    },
    get snapshots() {
      return stores.snapshots;
    },
    get status() {
      return stores.status;
    },
    readControl: async (registry) => (await stores.records.read(registry)).control,
    changeControl: (registry, change) =>
      stores.records.update(registry, ({ control }) => ({
        answer: undefined,
        record: { control: { ...control, ...change } },
      })),
    listRuns: async (registry) => (await stores.records.read(registry)).runs,
    expireLease: (registry) =>
      stores.records.update(registry, ({ status }) => ({
        answer: undefined,
        record: { status: status && { ...status, leaseUntil: 1 } },
      })),
    losePointer: (registry) =>
      stores.records.update(registry, () => ({
        answer: undefined,
        record: { pointer: undefined },
      })),
    loseData: async () => {
      await rm(directory, { recursive: true });
      stores = reopen();
    },
    passTime: async () => clock.advance(1),
  };
}

describeRunStore('the file run store', async () => createHarness());
describeSnapshotStore('the file snapshot store', async () => createHarness());
describeStatusPersistence('the status of the file stores', async () => createHarness().status);

const UNDONE = { changes: { startsWithoutFinish: 0 } };

test('the next process finds the published snapshot, its run and its time', async () => {
  const stores = open();
  const { lease } = await acquire(stores, 'alpha');
  const publication = await storeSnapshot(stores.snapshots, { lease, name: 'one' });
  const run = testRun(lease, { snapshot: publication.manifest });
  const changes = { snapshot: publication.manifest, phase: 'Complete' } as const;
  await stores.runStore.publishAndFinish(lease, { changes, run }, publication);
  const before = await stores.records.read('alpha');

  const next = reopen();
  expect(await next.records.read('alpha')).toEqual(before);
  expect(await next.snapshots.readPointer('alpha')).toBe(publication.manifest);
});

test('a run whose process was killed does not block the next run, and is counted', async () => {
  const { lease } = await acquire(open(), 'alpha', { ttlMs: 3_600_000 });
  const next = await acquire(reopen(), 'alpha');
  expect(next.status.startsWithoutFinish).toBe(2);
  expect(Number(next.lease.term)).toBeGreaterThan(Number(lease.term));
});

test('a process without the folder lock reads leases as current, and writes nothing', async () => {
  await acquire(open(), 'alpha', { ttlMs: 3_600_000 });
  const other = openFileStores({ folder: new DataFolder(join(directory, 'data')), clock });
  expect(await other.status.load('alpha')).toMatchObject({ leaseUntil: clock.now() + 3_600_000 });
  await expect(acquire(other, 'beta')).rejects.toMatchObject({ code: 'store-unavailable' });
});

test('a file that a killed process left half written is removed, and is not listed as a chunk', async () => {
  const { folder } = open();
  await mkdir(join(folder.path, 'tmp'), { recursive: true });
  await writeFile(join(folder.path, 'tmp', 'half'), 'half a chu');
  const next = reopen();
  expect(await readdir(folder.path)).not.toContain('tmp');
  expect(await next.snapshots.listChunks('alpha')).toEqual([]);
});

test('a change that could not be written is not applied, and can be retried', async () => {
  const stores = open();
  const { lease } = await acquire(stores, 'alpha');
  const file = join(stores.folder.ofRegistry('alpha'), 'state.json');
  await rm(file);
  // A folder in its place makes the next write fail.
  await mkdir(join(file, 'in-the-way'), { recursive: true });
  await expect(stores.runStore.finish(lease, UNDONE)).rejects.toThrow();
  expect(await stores.status.load('alpha')).toMatchObject({ owner: 'alice' });
  await rm(file, { recursive: true });
  expect(await stores.runStore.finish(lease, UNDONE)).toEqual({ state: 'finished' });
});

test.each(['{"v":2}', 'no JSON', '{"v":1,"registry":"alpha","status":{"phase":"Odd"}}'])(
  'a state file with the invalid content %s is rejected and left unchanged',
  async (text) => {
    const stores = open();
    await acquire(stores, 'alpha');
    const file = join(stores.folder.ofRegistry('alpha'), 'state.json');
    await writeFile(file, text);
    const next = reopen();
    await expect(acquire(next, 'alpha')).rejects.toMatchObject({ code: 'store-corrupt' });
    expect(await readFile(file, 'utf8')).toBe(text);
    await acquire(next, 'beta');
  },
);

test.each(['../outside', '..', '.', '', '/etc/passwd', 'a/b', 'NUL\0', 'Alpha', 'x'.repeat(400)])(
  'the registry name %j, which might lead out of the folder, is rejected',
  async (name) => {
    const stores = open();
    await expect(acquire(stores, name)).rejects.toMatchObject({ code: 'unknown-registry' });
    expect(await readdir(directory)).toEqual(['data']);
    expect(await readdir(join(directory, 'data'))).not.toContain('registries');
  },
);

test('a second lock of the same folder is rejected until the first one is released', async () => {
  const { folder } = open();
  const second = new DataFolder(folder.path);
  expect(() => second.lock()).toThrow(/another coordinator uses /);
  folder.unlock();
  second.lock();
  folders.push(second);
});

test('a damaged chunk is written again', async () => {
  const stores = open();
  const { lease } = await acquire(stores, 'alpha');
  const blob = testBlob('one');
  await stores.snapshots.writeChunks(lease, [blob]);
  const file = join(stores.folder.ofRegistry('alpha'), 'chunks', blob.digest);
  await writeFile(file, 'damaged');
  await stores.snapshots.writeChunks(lease, [blob]);
  expect(await readFile(file)).toEqual(Buffer.from(blob.bytes));
});
