import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Lease } from '@syncline/contract';
import type { Blob, Publication, SnapshotStore } from '@syncline/snapshot';
import { isHeld, type Records } from '../records.ts';
import { type DataFolder, listIfThere, readIfThere, syncFolder } from './data-folder.ts';

/** So few that the lease can be renewed between two batches, also on a slow disk. */
const BATCH_SIZE = 32;

type Kind = 'chunks' | 'manifests';

export interface FileSnapshotStoreOptions {
  readonly folder: DataFolder;
  readonly records: Records;
}

/** Snapshots as files: one for each chunk and each manifest of a registry, named by its digest. */
export function createFileSnapshotStore({
  folder,
  records,
}: FileSnapshotStoreOptions): SnapshotStore {
  const folderOf = (registry: string, kind: Kind) => join(folder.ofRegistry(registry), kind);
  const pathOf = (registry: string, kind: Kind, digest: string) =>
    join(folderOf(registry, kind), digest);

  return {
    readPointer: async (registry) => (await records.read(registry)).pointer,
    readManifest: (registry, digest) => readIfThere(pathOf(registry, 'manifests', digest)),

    async readChunks(registry, digests) {
      const found: (Uint8Array | undefined)[] = [];
      for (const batch of batches(digests)) {
        const reading = batch.map((digest) => readIfThere(pathOf(registry, 'chunks', digest)));
        found.push(...(await Promise.all(reading)));
      }
      return found;
    },

    writeChunks: (lease, chunks) => write(lease, 'chunks', chunks),
    writeManifest: (lease, manifest) => write(lease, 'manifests', [manifest]),

    async history(registry) {
      const manifests = await listIfThere(folderOf(registry, 'manifests'));
      const { supersededAtMs } = await records.read(registry);
      const at = (manifest: string) => supersededAtMs.get(manifest) ?? Number.POSITIVE_INFINITY;
      return manifests
        .sort((one, other) => (at(one) < at(other) ? 1 : at(one) > at(other) ? -1 : 0))
        .map((manifest) => ({ manifest, supersededAtMs: supersededAtMs.get(manifest) }));
    },

    listChunks: (registry) => listIfThere(folderOf(registry, 'chunks')),

    async collect(lease, { manifests, chunks }) {
      // Manifests first: a chunk must never be gone from a snapshot that is still listed.
      return (await remove(lease, 'manifests', manifests)) && remove(lease, 'chunks', chunks);
    },
  };

  async function write(lease: Lease, kind: Kind, blobs: readonly Blob[]): Promise<boolean> {
    const { registry } = lease;
    for (const batch of batches(blobs)) {
      const isWritten = await records.update(registry, async (record) => {
        if (!isHeld(record, lease)) return { answer: false };
        await Promise.all(
          batch.map(({ digest, bytes }) => folder.replace(pathOf(registry, kind, digest), bytes)),
        );
        return { answer: true };
      });
      if (!isWritten) return false;
    }
    if (blobs.length > 0) await syncFolder(folderOf(registry, kind));
    return true;
  }

  async function remove(lease: Lease, kind: Kind, digests: readonly string[]): Promise<boolean> {
    const { registry } = lease;
    for (const batch of batches(digests)) {
      const isRemoved = await records.update(registry, async (record) => {
        if (!isHeld(record, lease)) return { answer: false };
        const removed = batch.filter((digest) => digest !== record.pointer);
        await Promise.all(
          removed.map((digest) => rm(pathOf(registry, kind, digest), { force: true })),
        );
        const kept = [...record.supersededAtMs].filter(([digest]) => !removed.includes(digest));
        if (kept.length === record.supersededAtMs.size) return { answer: true };
        return { answer: true, record: { supersededAtMs: new Map(kept) } };
      });
      if (!isRemoved) return false;
    }
    return true;
  }
}

/** Finds the first blob of a snapshot that is not stored. */
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

function* batches<Item>(items: readonly Item[]): Generator<readonly Item[]> {
  for (let start = 0; start < items.length; start += BATCH_SIZE) {
    yield items.slice(start, start + BATCH_SIZE);
  }
}
