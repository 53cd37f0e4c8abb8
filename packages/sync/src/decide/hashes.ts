import { type RegistryConfig, type SyncStatus, sha256, sourceIdentity } from '@syncline/contract';

/** Digests what is read: a change invalidates the revision, because that marks a state of another source. */
export const sourceHash = hashOnce(sourceIdentity);

const filterIdentity = ({ filter }: Pick<RegistryConfig, 'filter'>) => [filter.names, filter.tags];

/** Digests what is kept of it. */
export const filterHash = hashOnce(filterIdentity);

const NO_PATTERNS = { include: [], exclude: [] };
/** The hash of the filter that keeps everything. */
const NO_FILTER_HASH = hashOf(
  filterIdentity({ filter: { names: NO_PATTERNS, tags: NO_PATTERNS } }),
);

export function isFiltered(registry: RegistryConfig): boolean {
  return filterHash(registry) !== NO_FILTER_HASH;
}

/** The hash of the filter that the rows of a snapshot have passed. An older version did not note it. */
export function filterHashOf({
  filterHash: noted = NO_FILTER_HASH,
}: {
  filterHash?: string | undefined;
}): string {
  return noted;
}

/** Digest of the manifest with all rows of the source; `undefined` if no state with all of them is known. */
export function mirrorOf({
  filterHash: current,
  snapshot,
  ...status
}: SyncStatus): string | undefined {
  if (current === NO_FILTER_HASH) return snapshot;
  return isMirrorValid(status) ? status.mirror : undefined;
}

/** Whether the mirror of a status is of its last sync. An older version syncs without noting one. */
export function isMirrorValid({
  mirror,
  mirrorSyncAt,
  lastSyncAt,
}: Pick<SyncStatus, 'mirror' | 'mirrorSyncAt' | 'lastSyncAt'>): boolean {
  return mirror !== undefined && mirrorSyncAt === lastSyncAt;
}

/** Each tick asks, and a config stays the same object for as long as it is in force. */
function hashOnce(
  select: (registry: RegistryConfig) => object,
): (registry: RegistryConfig) => string {
  const known = new WeakMap<RegistryConfig, string>();
  return (registry) => {
    const found = known.get(registry);
    if (found !== undefined) return found;
    const hash = hashOf(select(registry));
    known.set(registry, hash);
    return hash;
  };
}

function hashOf(identity: object): string {
  return sha256(JSON.stringify(identity)).slice(0, 16);
}
