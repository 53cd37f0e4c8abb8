import type { StoredBytes } from '@syncline/snapshot';
import { z } from 'zod';
import { readMemory } from '../connection/server-info.ts';
import { type KeyAccess, luaScript, storeCall } from '../lua/lua-script.ts';

const storedBytesScript = luaScript('stored-bytes');
const countsReply = z.tuple([z.coerce.number(), z.coerce.number(), z.coerce.number()]);

/** The name of the field that has the sum. No registry has an empty name. */
const SUM = '';
/** The part of `maxmemory` for snapshots. The rest is for the queue, statuses, and memory that Redis itself needs. */
const SNAPSHOT_SHARE = 0.7;
/** The limit of all registries in a Redis without `maxmemory`. */
const DEFAULT_STORED_BYTES = 4 * 1024 ** 3;
/** Above this part of `maxmemory`, Redis counts as full. The rest keeps the queue, leases and statuses writable. */
export const FULL_SHARE = 0.9;

export interface StoredBytesOptions extends KeyAccess {
  /** The most bytes of all registries. Default: {@link SNAPSHOT_SHARE} of `maxmemory`. */
  readonly storedBytes?: number | undefined;
}

/** Reads how many bytes a registry and all registries store, and what limits them. */
export async function readStoredBytes(
  { redis, keys, storedBytes }: StoredBytesOptions,
  registry: string,
): Promise<StoredBytes> {
  const [counts, { maxMemoryBytes, limitedMemoryBytes }] = await Promise.all([
    countRegistry({ redis, keys }, registry),
    readMemory(redis),
  ]);
  const [own, total, registryCount] = counts;
  return {
    registry: own,
    total,
    registryCount,
    totalLimit: totalLimit({ storedBytes, maxMemoryBytes }),
    free:
      maxMemoryBytes === 0
        ? Number.POSITIVE_INFINITY
        : maxMemoryBytes * FULL_SHARE - limitedMemoryBytes,
  };
}

/** Returns the most bytes of all registries. */
export function totalLimit({
  storedBytes,
  maxMemoryBytes,
}: {
  storedBytes: number | undefined;
  maxMemoryBytes: number;
}): number {
  if (storedBytes !== undefined) return storedBytes;
  return maxMemoryBytes === 0 ? DEFAULT_STORED_BYTES : Math.floor(maxMemoryBytes * SNAPSHOT_SHARE);
}

/** Reads the most bytes of all registries. */
export async function readStoredBytesLimit({
  redis,
  storedBytes,
}: Pick<StoredBytesOptions, 'redis' | 'storedBytes'>): Promise<number> {
  return totalLimit({ ...(await readMemory(redis)), storedBytes });
}

/** Returns the `maxmemory` of a Redis that can store this many bytes of snapshots. */
export function maxMemoryFor(storedBytes: number): number {
  return Math.ceil(storedBytes / SNAPSHOT_SHARE);
}

/** Reads how many bytes each registry stores. A registry without a count is missing. */
export async function readAllStoredBytes({ redis, keys }: KeyAccess): Promise<Map<string, number>> {
  const counts = await storeCall(redis, redis.hgetall(keys.storedBytes));
  const known = Object.entries(counts).filter(([name]) => name !== SUM);
  return new Map(known.map(([name, bytes]) => [name, Number(bytes)]));
}

/** Counts the bytes of registries without a count, for example after an upgrade from a version that did not count. */
export async function countStoredBytes(
  { redis, keys }: KeyAccess,
  names: readonly string[],
): Promise<void> {
  if (names.length === 0) return;
  const counts = await storeCall(redis, redis.hmget(keys.storedBytes, ...names));
  for (const [index, name] of names.entries()) {
    if (counts[index] === null) await countRegistry({ redis, keys }, name);
  }
}

async function countRegistry({ redis, keys }: KeyAccess, registry: string) {
  const names = [keys.storedBytes, keys.snapshotManifests(registry), keys.snapshotChunks(registry)];
  return countsReply.parse(await storedBytesScript(redis, names, [registry]));
}
