import type { Publication } from '@syncline/snapshot';
import { storeSnapshot, testBlob } from '@syncline/snapshot/testing';
import { beforeEach, describe, expect, test } from 'vitest';
import { acquire, type StoreHarness } from './store-harness.ts';

const UNDONE = { changes: { startsWithoutFinish: 0 } };

/** Tests the contract of {@link SnapshotStore}. `create` returns an empty store, and ports that share its data. */
export function describeSnapshotStore(name: string, create: () => Promise<StoreHarness>): void {
  describe(`${name} fulfils the contract of SnapshotStore`, () => {
    let store: StoreHarness;
    beforeEach(async () => {
      store = await create();
    });

    async function publish(snapshot: string, chunks?: readonly string[]): Promise<Publication> {
      const { lease } = await acquire(store, 'alpha');
      const publication = await storeSnapshot(store.snapshots, {
        lease,
        name: snapshot,
        ...(chunks === undefined ? {} : { chunks }),
      });
      await store.runStore.publishAndFinish(lease, UNDONE, publication);
      await store.passTime();
      return publication;
    }

    test('a registry that was never published has nothing', async () => {
      expect(await store.snapshots.readPointer('alpha')).toBeUndefined();
      expect(await store.snapshots.readManifest('alpha', 'a'.repeat(64))).toBeUndefined();
      expect(await store.snapshots.history('alpha')).toEqual([]);
      expect(await store.snapshots.listChunks('alpha')).toEqual([]);
      expect(await store.snapshots.readChunks('alpha', [])).toEqual([]);
    });

    test('bytes come back unchanged, in the requested order, undefined if missing', async () => {
      const { lease } = await acquire(store, 'alpha');
      const all = Uint8Array.from({ length: 256 }, (_, byte) => byte);
      const binary = { digest: 'c'.repeat(64), bytes: all };
      const [one, two] = [testBlob('one'), testBlob('two')];
      expect(await store.snapshots.writeChunks(lease, [one, binary, two])).toBe(true);
      const asked = [two.digest, 'd'.repeat(64), binary.digest, one.digest];
      const read = await store.snapshots.readChunks('alpha', asked);
      expect(read.map((bytes) => bytes && [...bytes])).toEqual([
        [...two.bytes],
        undefined,
        [...all],
        [...one.bytes],
      ]);
      expect(await store.snapshots.writeManifest(lease, binary)).toBe(true);
      const manifest = await store.snapshots.readManifest('alpha', binary.digest);
      expect([...(manifest ?? [])]).toEqual([...all]);
    });

    test('many chunks, and large ones, are all stored', async () => {
      const { lease } = await acquire(store, 'alpha');
      const small = Array.from({ length: 1_500 }, (_, index) => testBlob(`chunk ${index}`));
      const large = Array.from({ length: 5 }, (_, index) => testBlob(`${index}`.repeat(400_000)));
      expect(await store.snapshots.writeChunks(lease, [...small, ...large])).toBe(true);
      const digests = [...small, ...large].map(({ digest }) => digest);
      expect((await store.snapshots.listChunks('alpha')).sort()).toEqual([...digests].sort());
      const read = await store.snapshots.readChunks('alpha', digests);
      expect(read.map((bytes) => bytes?.length)).toEqual(
        [...small, ...large].map(({ bytes }) => bytes.length),
      );
    });

    test('registries do not share what they store', async () => {
      await publish('one');
      expect(await store.snapshots.listChunks('beta')).toEqual([]);
      expect(await store.snapshots.readPointer('beta')).toBeUndefined();
    });

    test('a write needs the lease', async () => {
      const { lease: stale } = await acquire(store, 'alpha');
      await store.expireLease('alpha');
      const { lease } = await acquire(store, 'alpha', { owner: 'bob' });
      expect(await store.snapshots.writeChunks(stale, [testBlob('one')])).toBe(false);
      expect(await store.snapshots.writeManifest(stale, testBlob('one'))).toBe(false);
      expect(await store.snapshots.listChunks('alpha')).toEqual([]);
      expect(await store.snapshots.history('alpha')).toEqual([]);

      await store.runStore.finish(lease, UNDONE);
      expect(await store.snapshots.writeChunks(lease, [testBlob('one')])).toBe(false);
      await store.loseData();
      expect(await store.snapshots.writeChunks(lease, [testBlob('one')])).toBe(false);
    });

    test('the history lists the served snapshot, then the superseded ones, newest first', async () => {
      const [one, two, three] = [
        await publish('one'),
        await publish('two'),
        await publish('three'),
      ];
      const history = await store.snapshots.history('alpha');
      expect(history.map(({ manifest }) => manifest)).toEqual(
        [three, two, one].map(({ manifest }) => manifest),
      );
      const [served, newer, older] = history.map(({ supersededAtMs }) => supersededAtMs);
      expect(served).toBeUndefined();
      expect(newer).toBeGreaterThan(older ?? Number.NaN);
    });

    test('a snapshot that is served again is no longer superseded', async () => {
      const one = await publish('one');
      const two = await publish('two');
      await publish('one');
      expect(await store.snapshots.history('alpha')).toEqual([
        { manifest: one.manifest, supersededAtMs: undefined },
        { manifest: two.manifest, supersededAtMs: expect.any(Number) },
      ]);
    });

    test('a snapshot that was never published has no time in the history', async () => {
      const { lease } = await acquire(store, 'alpha');
      const { manifest } = await storeSnapshot(store.snapshots, { lease, name: 'held' });
      expect(await store.snapshots.history('alpha')).toEqual([
        { manifest, supersededAtMs: undefined },
      ]);
    });

    test('collect removes the given manifests and chunks, and no others', async () => {
      const one = await publish('one', ['shared', 'only-one']);
      const two = await publish('two', ['shared', 'only-two']);
      const { lease } = await acquire(store, 'alpha');
      const [, onlyOne = ''] = one.chunks;
      const garbage = { manifests: [one.manifest], chunks: [onlyOne] };
      expect(await store.snapshots.collect(lease, garbage)).toBe(true);
      expect(await store.snapshots.readManifest('alpha', one.manifest)).toBeUndefined();
      expect((await store.snapshots.history('alpha')).map(({ manifest }) => manifest)).toEqual([
        two.manifest,
      ]);
      expect((await store.snapshots.listChunks('alpha')).sort()).toEqual([...two.chunks].sort());
    });

    test('collect never removes the served snapshot', async () => {
      const { manifest } = await publish('one');
      const { lease } = await acquire(store, 'alpha');
      await store.snapshots.collect(lease, { manifests: [manifest], chunks: [] });
      expect(await store.snapshots.readManifest('alpha', manifest)).toBeDefined();
      expect(await store.snapshots.history('alpha')).toHaveLength(1);
    });

    async function sizes(registry = 'alpha') {
      const { registry: own, total } = await store.snapshots.readStoredBytes(registry);
      return { own, total };
    }

    test('stored bytes are counted per registry and in total, and a blob that is written again counts once', async () => {
      const { lease } = await acquire(store, 'alpha');
      const { lease: other } = await acquire(store, 'beta');
      expect(await sizes()).toEqual({ own: 0, total: 0 });
      expect(await sizes('beta')).toEqual({ own: 0, total: 0 });
      await store.snapshots.writeChunks(lease, [testBlob('four'), testBlob('three')]);
      await store.snapshots.writeChunks(lease, [testBlob('four'), testBlob('four')]);
      await store.snapshots.writeManifest(lease, testBlob('manifest'));
      await store.snapshots.writeManifest(lease, testBlob('manifest'));
      await store.snapshots.writeChunks(other, [testBlob('of beta')]);
      expect(await sizes()).toEqual({ own: 17, total: 24 });
      expect(await sizes('beta')).toEqual({ own: 7, total: 24 });
    });

    test('a damaged blob that is written again counts with its new size', async () => {
      const { lease } = await acquire(store, 'alpha');
      const { digest } = testBlob('whole');
      await store.snapshots.readStoredBytes('alpha');
      await store.snapshots.writeChunks(lease, [{ digest, bytes: Buffer.from('half') }]);
      await store.snapshots.writeChunks(lease, [testBlob('whole')]);
      expect(await sizes()).toEqual({ own: 5, total: 5 });
    });

    test('removed blobs no longer count, and missing ones change nothing', async () => {
      const { lease } = await acquire(store, 'alpha');
      await store.snapshots.readStoredBytes('alpha');
      const { manifest, chunks } = await storeSnapshot(store.snapshots, { lease, name: 'one' });
      const before = await sizes();
      await store.snapshots.writeChunks(lease, [testBlob('more')]);
      const { digest } = testBlob('more');
      await store.snapshots.collect(lease, { manifests: [], chunks: [digest, 'a'.repeat(64)] });
      await store.snapshots.collect(lease, { manifests: [], chunks: [digest] });
      expect(await sizes()).toEqual(before);
      await store.snapshots.collect(lease, { manifests: [manifest], chunks });
      expect(await sizes()).toEqual({ own: 0, total: 0 });
    });

    test('bytes that were stored before the first count are counted', async () => {
      const { lease } = await acquire(store, 'alpha');
      expect(await sizes('beta')).toEqual({ own: 0, total: expect.any(Number) });
      await store.snapshots.writeChunks(lease, [testBlob('first'), testBlob('garbage')]);
      const { digest } = testBlob('garbage');
      await store.snapshots.collect(lease, { manifests: [], chunks: [digest] });
      expect(await sizes()).toEqual({ own: 5, total: 5 });
      await store.snapshots.writeChunks(lease, [testBlob('second')]);
      expect(await sizes()).toEqual({ own: 11, total: 11 });
    });

    test('a write that exceeds a limit is refused, and changes nothing', async () => {
      const { lease } = await acquire(store, 'alpha');
      const { lease: other } = await acquire(store, 'beta');
      await sizes();
      await sizes('beta');
      await store.snapshots.writeChunks(other, [testBlob('of beta')]);
      const write = (registry: number, total: number) =>
        store.snapshots.writeChunks(lease, [testBlob('1234'), testBlob('5678')], {
          registry,
          total,
        });
      await expect(write(7, 100)).rejects.toMatchObject({ code: 'registry-over-quota' });
      await expect(write(100, 14)).rejects.toMatchObject({ code: 'store-over-quota' });
      expect(await store.snapshots.listChunks('alpha')).toEqual([]);
      expect(await sizes()).toEqual({ own: 0, total: 7 });
      expect(await write(8, 15)).toBe(true);
      // The same blobs again need no room.
      expect(await write(1, 1)).toBe(true);
      const manifest = store.snapshots.writeManifest(lease, testBlob('m'), {
        registry: 8,
        total: 99,
      });
      await expect(manifest).rejects.toMatchObject({ code: 'registry-over-quota' });
      expect(await sizes()).toEqual({ own: 8, total: 15 });
    });

    test('a refused write under a lost lease counts nothing', async () => {
      const { lease: stale } = await acquire(store, 'alpha');
      await store.expireLease('alpha');
      await acquire(store, 'alpha', { owner: 'bob' });
      await sizes();
      await store.snapshots.writeChunks(stale, [testBlob('one')], { registry: 1, total: 1 });
      expect(await sizes()).toEqual({ own: 0, total: 0 });
    });

    test('the size of chunks is the sum of the stored ones', async () => {
      const { lease } = await acquire(store, 'alpha');
      const [four, three] = [testBlob('four'), testBlob('three')];
      await store.snapshots.writeChunks(lease, [four, three]);
      const asked = [four.digest, three.digest, 'd'.repeat(64)];
      expect(await store.snapshots.sizeOfChunks('alpha', asked)).toBe(9);
      expect(await store.snapshots.sizeOfChunks('alpha', [])).toBe(0);
    });

    test('collect needs the lease', async () => {
      const one = await publish('one');
      await publish('two');
      const { lease: stale } = await acquire(store, 'alpha');
      await store.expireLease('alpha');
      await acquire(store, 'alpha', { owner: 'bob' });
      const garbage = { manifests: [one.manifest], chunks: one.chunks };
      expect(await store.snapshots.collect(stale, garbage)).toBe(false);
      expect(await store.snapshots.history('alpha')).toHaveLength(2);
      expect(await store.snapshots.listChunks('alpha')).toHaveLength(4);
    });
  });
}
