import { type RegistryConfig, type SyncStatus, sha256, sourceIdentity } from '@syncline/contract';

/** Hashes the identity of the source. If it changes, the revision is that of another source. */
export const sourceHash = hashOnce(sourceIdentity);

const filterIdentity = ({ filter }: Pick<RegistryConfig, 'filter'>) => [filter.names, filter.tags];

/** Hashes the filter. */
export const filterHash = hashOnce(filterIdentity);

const NO_PATTERNS = { include: [], exclude: [] };
/** The hash of the filter that keeps everything. */
const NO_FILTER_HASH = hashOf(
  filterIdentity({ filter: { names: NO_PATTERNS, tags: NO_PATTERNS } }),
);

export function isFiltered(registry: RegistryConfig): boolean {
  return filterHash(registry) !== NO_FILTER_HASH;
}

/** Returns the hash of the filter that a snapshot was built by. Older versions did not store it. */
export function filterHashOf({
  filterHash: noted = NO_FILTER_HASH,
}: {
  filterHash?: string | undefined;
}): string {
  return noted;
}

/** Returns the digest of the manifest with all rows of the source; `undefined` if there is none. */
export function mirrorOf({
  filterHash: current,
  snapshot,
  ...status
}: SyncStatus): string | undefined {
  if (current === NO_FILTER_HASH) return snapshot;
  return isMirrorValid(status) ? status.mirror : undefined;
}

/** Returns whether the mirror of a status is of its last sync. Older versions sync without a mirror. */
export function isMirrorValid({
  mirror,
  mirrorSyncAt,
  lastSyncAt,
}: Pick<SyncStatus, 'mirror' | 'mirrorSyncAt' | 'lastSyncAt'>): boolean {
  return mirror !== undefined && mirrorSyncAt === lastSyncAt;
}

/** Caches hashes: each tick needs them, and the config in force remains the same object. */
function hashOnce(
  select: (registry: RegistryConfig) => object,
): (registry: RegistryConfig) => string {
  const known = new WeakMap<RegistryConfig, string>();
  return (registry) => {
    const hash = known.get(registry) ?? hashOf(select(registry));
    known.set(registry, hash);
    return hash;
  };
}

function hashOf(identity: object): string {
  return sha256(JSON.stringify(identity)).slice(0, 16);
}
