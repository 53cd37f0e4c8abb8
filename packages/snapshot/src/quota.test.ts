import { randomBytes } from 'node:crypto';
import type { Lease } from '@syncline/contract';
import { sha256 } from '@syncline/contract';
import { beforeEach, describe, expect, test } from 'vitest';
import { makeRoom } from './quota.ts';
import type { Blob } from './store.ts';
import { createSnapshotHarness, type SnapshotHarness } from './testing/snapshot-harness.ts';
import { storeRows } from './testing/test-snapshots.ts';

const HOUR_MS = 3_600_000;
let store: SnapshotHarness;
let lease: Lease;
beforeEach(() => {
  store = createSnapshotHarness();
  lease = store.acquire('alpha');
});

function blobOf(size: number): Blob {
  const bytes = randomBytes(size);
  return { digest: sha256(bytes), bytes };
}

/** Publishes a snapshot of about `kilobytes` that shares nothing with other snapshots, and returns its digest. */
async function publish(kilobytes: number): Promise<string> {
  const rows = Array.from({ length: kilobytes }, (_, index) => ({
    name: `row ${String(index).padStart(3, '0')}`,
    version: '1',
    description: randomBytes(500).toString('hex'),
  }));
  const { nowMs } = store.clock;
  const { publication } = await storeRows(store.snapshots, { lease, rows, nowMs });
  store.publish(lease.registry, publication);
  return publication.manifest;
}

async function stored(): Promise<number> {
  return (await store.snapshots.readStoredBytes('alpha')).registry;
}

async function kept(): Promise<string[]> {
  return (await store.snapshots.history('alpha')).map(({ manifest }) => manifest);
}

function room(options: Partial<Parameters<typeof makeRoom>[1]> = {}) {
  return makeRoom(store.snapshots, {
    lease,
    keep: 5,
    spare: [],
    nowMs: store.clock.nowMs + HOUR_MS,
    blobs: [blobOf(10_000)],
    quotaBytes: 1_000_000,
    ...options,
  });
}

describe('makeRoom', () => {
  test('returns the limits, and removes nothing, if the blobs fit', async () => {
    await store.snapshots.writeChunks(lease, [blobOf(100)]);
    expect(await room()).toMatchObject({ registry: 1_000_000 });
    expect(await stored()).toBe(100);
  });

  test('removes garbage if the blobs would not fit beside it', async () => {
    const served = await publish(10);
    const size = await stored();
    await store.snapshots.writeChunks(lease, [blobOf(50_000)]);
    await room({ spare: [served], quotaBytes: size + 10_000 });
    expect(await stored()).toBe(size);
  });

  test('gives up as few old snapshots as possible, oldest first', async () => {
    const [, second, third, served] = [
      await publish(10),
      await publish(10),
      await publish(10),
      await publish(10),
    ];
    const size = await stored();
    await room({ spare: [served], quotaBytes: size + 1, blobs: [blobOf(1_000)] });
    expect(await kept()).toEqual([served, third, second]);
    expect(await stored()).toBeLessThan(size);
  });

  test('gives up no old snapshot if that does not make enough room', async () => {
    for (const kilobytes of [10, 10, 30]) await publish(kilobytes);
    const history = await kept();
    const refused = room({
      spare: [history[0]],
      blobs: [blobOf(90_000)],
      quotaBytes: 100_000,
    });
    await expect(refused).rejects.toMatchObject({
      code: 'registry-over-quota',
      message: expect.stringMatching(/^the snapshots of alpha .* 100\.0 KB .*limits\.storedBytes/),
    });
    expect(await kept()).toEqual(history);
  });

  test('gives up no snapshot that a reader may still use', async () => {
    const [first, served] = [await publish(20), await publish(20)];
    const options = { spare: [served], quotaBytes: (await stored()) + 1 };
    await expect(room({ ...options, nowMs: store.clock.nowMs + 60_000 })).rejects.toMatchObject({
      code: 'registry-over-quota',
    });
    expect(await kept()).toEqual([served, first]);
    await room(options);
    expect(await kept()).toEqual([served]);
  });

  test('needs no room for blobs that are stored already', async () => {
    const served = await publish(10);
    const size = await stored();
    const chunks = await store.snapshots.listChunks('alpha');
    const bytes = await store.snapshots.readChunks('alpha', chunks);
    const blobs = chunks.map((digest, index) => ({ digest, bytes: bytes[index] ?? Buffer.of() }));
    await room({ blobs, spare: [served], quotaBytes: size });
    await expect(room({ spare: [served], quotaBytes: size })).rejects.toThrow('alpha');
  });
});

describe('the limit of all registries', () => {
  const LIMIT = 50_000;
  let large: Lease;
  let served: string;
  beforeEach(async () => {
    store = createSnapshotHarness({ totalLimit: LIMIT });
    large = store.acquire('large');
    lease = large;
    served = await publish(80);
    lease = store.acquire('alpha');
    await store.snapshots.readStoredBytes('alpha');
  });
  const left = async () => LIMIT - (await store.snapshots.readStoredBytes('large')).total;

  test('leaves its last quarter to registries below their fair share', async () => {
    expect(await left()).toBeGreaterThan(5_000);
    expect(await left()).toBeLessThan(LIMIT / 4);
    expect(await room({ blobs: [blobOf(5_000)] })).toMatchObject({ total: LIMIT });
    const refused = room({ lease: large, spare: [served], blobs: [blobOf(1_000)] });
    await expect(refused).rejects.toMatchObject({
      code: 'store-over-quota',
      message: expect.stringContaining('SYNCLINE_STORED_BYTES'),
    });
  });

  test('applies to all registries', async () => {
    const blobs = [blobOf((await left()) + 1)];
    await expect(room({ blobs })).rejects.toMatchObject({ code: 'store-over-quota' });
  });
});

test('a store with too little free memory is full', async () => {
  const read = store.snapshots.readStoredBytes;
  const options = {
    lease,
    keep: 5,
    spare: [],
    nowMs: 0,
    blobs: [blobOf(1_000)],
    quotaBytes: 2_000,
  };
  const withFree = (free: number) =>
    makeRoom(
      { ...store.snapshots, readStoredBytes: async (name) => ({ ...(await read(name)), free }) },
      options,
    );
  await expect(withFree(1_199)).rejects.toMatchObject({ code: 'store-full' });
  await withFree(1_200);
});
