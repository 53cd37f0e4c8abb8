import { formatBytes, SynclineError } from '@syncline/contract';
import {
  type Blob,
  type ByteLimits,
  type CollectOptions,
  collectGarbage,
  findGarbage,
  type SnapshotStore,
  type StoredBytes,
} from './store.ts';

/** A registry above its fair share may not fill this part, so that large registries leave room for small ones. */
const SHARE_FOR_SMALL_REGISTRIES = 0.25;
/** Redis needs more memory for a blob than the blob has bytes. */
const MEMORY_PER_BYTE = 1.2;

/** Whose limit a write exceeds. */
export type Quota = 'registry' | 'total';

/** Returns the error of a publication that exceeds a limit. */
export function overQuota(registry: string, quota: Quota, limits: ByteLimits): SynclineError {
  const limit = formatBytes(limits[quota]);
  return quota === 'registry'
    ? new SynclineError(
        'registry-over-quota',
        `the snapshots of ${registry} would need more than ${limit} in the store. Increase limits.storedBytes of ${registry}, decrease its snapshots, or filter it`,
      )
    : new SynclineError(
        'store-over-quota',
        `with the new snapshot of ${registry}, all snapshots would need more than ${limit} in the store. Give Redis more memory, increase SYNCLINE_STORED_BYTES, or decrease limits.storedBytes of large registries`,
      );
}

export interface RoomOptions extends CollectOptions {
  /** The blobs to write. Blobs that are already stored need no room. */
  readonly blobs: readonly Blob[];
  /** The most bytes of the registry. */
  readonly quotaBytes: number;
}

/**
 * Makes sure that new blobs fit into the store, before the first one is written. If they do not fit, removes garbage. If
 * they still exceed the quota of the registry, also removes old snapshots, oldest first, but only if this makes enough
 * room.
 *
 * @returns the limits for the writes, because other registries may write at the same time
 * @throws SynclineError `registry-over-quota`, `store-over-quota`, `store-full`
 */
export async function makeRoom(
  snapshots: SnapshotStore,
  { blobs, quotaBytes, ...collection }: RoomOptions,
): Promise<ByteLimits> {
  const { registry } = collection.lease;
  const sizes = new Map(blobs.map(({ digest, bytes }) => [digest, bytes.length]));
  const stored = await snapshots.readStoredBytes(registry);
  const hasRoom = findRoom(registry, { stored, needed: sumOf(sizes.values()), quotaBytes });
  if (!(hasRoom instanceof SynclineError)) return hasRoom;

  await collectGarbage(snapshots, collection);
  for (const digest of await snapshots.listChunks(registry)) sizes.delete(digest);
  const needed = sumOf(sizes.values());
  const look = async () =>
    findRoom(registry, {
      stored: await snapshots.readStoredBytes(registry),
      needed,
      quotaBytes,
    });
  let room = await look();
  if (isOverOwnQuota(room) && (await giveUpHistory(snapshots, { collection, needed, quotaBytes })))
    room = await look();
  if (room instanceof SynclineError) throw room;
  return room;
}

/** Returns the limits for the writes, or the error if `needed` more bytes exceed a limit. */
function findRoom(
  registry: string,
  { stored, needed, quotaBytes }: { stored: StoredBytes; needed: number; quotaBytes: number },
): ByteLimits | SynclineError {
  const { total, totalLimit, registryCount, free } = stored;
  const after = stored.registry + needed;
  const fairShare = totalLimit / Math.max(1, registryCount);
  const share = after > fairShare ? 1 - SHARE_FOR_SMALL_REGISTRIES : 1;
  const limits = { registry: quotaBytes, total: Math.floor(totalLimit * share) };
  if (needed === 0) return limits;
  if (after > limits.registry) return overQuota(registry, 'registry', limits);
  if (total + needed > limits.total) return overQuota(registry, 'total', limits);
  if (needed * MEMORY_PER_BYTE <= free) return limits;
  return new SynclineError(
    'store-full',
    `Redis has too little free memory for the new snapshot of ${registry}: ${formatBytes(Math.max(0, free))} of ${formatBytes(needed * MEMORY_PER_BYTE)}. Increase maxmemory of Redis, or remove data of other programs`,
  );
}

function isOverOwnQuota(room: ByteLimits | SynclineError): boolean {
  return room instanceof SynclineError && room.code === 'registry-over-quota';
}

/** Removes as few old snapshots as possible. Removes none if all of them together do not make enough room. */
async function giveUpHistory(
  snapshots: SnapshotStore,
  {
    collection,
    needed,
    quotaBytes,
  }: { collection: CollectOptions; needed: number; quotaBytes: number },
): Promise<boolean> {
  const { lease } = collection;
  const { registry: storedBytes } = await snapshots.readStoredBytes(lease.registry);
  for (let keep = collection.keep - 1; keep >= 1; keep -= 1) {
    const garbage = await findGarbage(snapshots, { ...collection, keep });
    const freed = await snapshots.sizeOfChunks(lease.registry, garbage.chunks);
    if (storedBytes - freed + needed <= quotaBytes) return snapshots.collect(lease, garbage);
  }
  return false;
}

function sumOf(sizes: Iterable<number>): number {
  let sum = 0;
  for (const size of sizes) sum += size;
  return sum;
}
