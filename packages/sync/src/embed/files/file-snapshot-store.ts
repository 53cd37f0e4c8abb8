import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { batchesOf, type Lease } from '@syncline/contract';
import type { Blob, ByteLimits, Publication, SnapshotStore } from '@syncline/snapshot';
import { type Change, isHeld, type Records, type RegistryRecord } from '../records.ts';
import { type DataFolder, listIfThere, readIfThere, syncFolder } from './data-folder.ts';
import { FileSizes, type Kind } from './file-sizes.ts';

/** Small enough to renew the lease between two batches, even on a slow disk. */
const BATCH_SIZE = 32;

/** Stores snapshots as files: one file per chunk and manifest of a registry, named by digest. */
export function createFileSnapshotStore({
  folder,
  records,
}: {
  folder: DataFolder;
  records: Records;
}): SnapshotStore {
  const folderOf = (registry: string, kind: Kind) => join(folder.ofRegistry(registry), kind);
  const pathOf = (registry: string, kind: Kind, digest: string) =>
    join(folderOf(registry, kind), digest);
  const sizes = new FileSizes(folder, pathOf);

  return {
    readPointer: async (registry) => (await records.read(registry)).pointer,
    readManifest: (registry, digest) => readIfThere(pathOf(registry, 'manifests', digest)),

    async readChunks(registry, digests) {
      const found: (Uint8Array | undefined)[] = [];
      for (const batch of batchesOf(digests, BATCH_SIZE)) {
        const reading = batch.map((digest) => readIfThere(pathOf(registry, 'chunks', digest)));
        found.push(...(await Promise.all(reading)));
      }
      return found;
    },

    writeChunks: (lease, chunks, limits) => write(lease, 'chunks', { blobs: chunks, limits }),
    writeManifest: (lease, manifest, limits) =>
      write(lease, 'manifests', { blobs: [manifest], limits }),

    // Only the disk limits all registries together.
    readStoredBytes: async (registry) => ({
      registry: await sizes.ofRegistry(registry),
      ...(await sizes.ofAll()),
      totalLimit: Number.POSITIVE_INFINITY,
      free: Number.POSITIVE_INFINITY,
    }),
    sizeOfChunks: (registry, digests) => sizes.ofFiles(registry, 'chunks', digests),

    async history(registry) {
      const manifests = await listIfThere(folderOf(registry, 'manifests'));
      const { supersededAtMs } = await records.read(registry);
      const at = (manifest: string) => supersededAtMs.get(manifest) ?? Number.MAX_SAFE_INTEGER;
      return manifests
        .sort((one, other) => at(other) - at(one))
        .map((manifest) => ({ manifest, supersededAtMs: supersededAtMs.get(manifest) }));
    },

    listChunks: (registry) => listIfThere(folderOf(registry, 'chunks')),

    async collect(lease, { manifests, chunks }) {
      // Removes manifests first, because a listed snapshot must never lack a chunk.
      return (await remove(lease, 'manifests', manifests)) && remove(lease, 'chunks', chunks);
    },
  };

  async function write(
    lease: Lease,
    kind: Kind,
    { blobs, limits }: { blobs: readonly Blob[]; limits: ByteLimits | undefined },
  ): Promise<boolean> {
    const { registry } = lease;
    const folderPath = folderOf(registry, kind);
    const isWritten = await inBatches(lease, blobs, async (batch) => {
      const written = new Map(batch.map(({ digest, bytes }) => [digest, bytes]));
      let added = -(await sizes.ofFiles(registry, kind, [...written.keys()]));
      for (const { length } of written.values()) added += length;
      await sizes.add(registry, { added, limits });
      const writing = [...written].map(([digest, bytes]) =>
        folder.replace(join(folderPath, digest), bytes),
      );
      await Promise.all(writing).catch((error: unknown) => {
        sizes.forget(registry);
        throw error;
      });
      return {};
    });
    if (isWritten && blobs.length > 0) await syncFolder(folderPath);
    return isWritten;
  }

  function remove(lease: Lease, kind: Kind, digests: readonly string[]): Promise<boolean> {
    return inBatches(lease, digests, async (batch, { pointer, supersededAtMs }) => {
      const removed = batch.filter((digest) => digest !== pointer);
      const paths = removed.map((digest) => pathOf(lease.registry, kind, digest));
      const freed = await sizes.ofFiles(lease.registry, kind, removed);
      await sizes.add(lease.registry, { added: -freed });
      await Promise.all(paths.map((path) => rm(path, { force: true })));
      const left = [...supersededAtMs].filter(([digest]) => !removed.includes(digest));
      if (left.length === supersededAtMs.size) return {};
      return { record: { supersededAtMs: new Map(left) } };
    });
  }

  /** Applies `work` to each batch under the lease. @returns false if the lease is lost */
  async function inBatches<Item>(
    lease: Lease,
    items: readonly Item[],
    work: (batch: readonly Item[], record: RegistryRecord) => Promise<Pick<Change<true>, 'record'>>,
  ): Promise<boolean> {
    for (const batch of batchesOf(items, BATCH_SIZE)) {
      const isDone = await records.update(lease.registry, async (record) =>
        isHeld(record, lease)
          ? { answer: true, ...(await work(batch, record)) }
          : { answer: false },
      );
      if (!isDone) return false;
    }
    return true;
  }
}

/** Returns the first missing blob of a snapshot. */
export async function findMissingFile(
  snapshots: SnapshotStore,
  registry: string,
  { manifest, mirror = manifest, chunks }: Publication,
): Promise<string | undefined> {
  const manifests = new Set((await snapshots.history(registry)).map((entry) => entry.manifest));
  const stored = new Set(await snapshots.listChunks(registry));
  return (
    [manifest, mirror].find((digest) => !manifests.has(digest)) ??
    chunks.find((digest) => !stored.has(digest))
  );
}
