import {
  type Reason,
  type RegistryConfig,
  type SyncStatus,
  sha256,
  sourceIdentity,
} from '@syncline/contract';
import type { CheckContext } from '../ports/run-context.ts';
import { nextFiringMs } from './cron.ts';

export interface SyncNeedInput
  extends Pick<CheckContext, 'registry' | 'status' | 'control' | 'served' | 'trigger' | 'force'> {
  /** Epoch milliseconds by the store's clock. */
  readonly nowMs: number;
}

/** The result of the rules, before any request to the source. */
export type SyncNeed =
  | { readonly need: 'none'; readonly reason: Reason; readonly message: string }
  /**
   * Fetch without a cheap check. With a `mirror`, derive from the mirror, without the source. With `restore`, serve the
   * stored snapshot again, without the source.
   */
  | {
      readonly need: 'fetch';
      readonly reason: Reason;
      readonly mirror?: string;
      readonly restore?: true;
    }
  /** Ask the source whether it has changed since `known`. */
  | {
      readonly need: 'probe';
      readonly known: string;
      readonly changed: Reason;
      readonly unchanged: Reason;
    };

/** Returns whether a registry needs a sync, and why. A pure function. The rules follow in order of precedence. */
export function decideSyncNeed(input: SyncNeedInput): SyncNeed {
  const { registry, status, control, trigger, force, nowMs } = input;
  const asked = trigger === 'manual' || trigger === 'webhook';

  if (registry.suspended || control.suspended) {
    return { need: 'none', reason: 'suspended', message: 'suspended' };
  }
  if (control.pinned !== undefined) {
    return { need: 'none', reason: 'suspended', message: `pinned to snapshot ${control.pinned}` };
  }
  // A filter takes effect at once, even while the source fails.
  const mirror = mirrorToDerive(input);
  if (mirror !== undefined) return { need: 'fetch', reason: 'filter-changed', mirror };
  // Readers get nothing or a wrong state, so this does not wait for a source that fails.
  if (!asked && !force && isPointerLost(input)) {
    return { need: 'fetch', reason: 'registry-not-ready', restore: true };
  }
  // Each run of a crashing registry may end a process, so its requests wait too.
  const waits = !force && (!asked || status.errorCode === 'run-crashed');
  if (waits && Date.parse(status.nextDueAt ?? '') > nowMs) {
    const message = `failing; the next try is at ${status.nextDueAt}`;
    return { need: 'none', reason: 'backing-off', message };
  }
  const reason = reasonToFetch(input);
  if (reason !== undefined) return { need: 'fetch', reason };

  const changed = asked ? 'manual-sync-with-data-changes' : 'source-data-changed';
  const unchanged = asked ? 'manual-sync-no-data-changes' : 'up-to-date-with-policy';
  if (status.revision === undefined) return { need: 'fetch', reason: changed };
  return { need: 'probe', known: status.revision, changed, unchanged };
}

/** Returns why a sync must read the source without asking first, or `undefined` to ask first. */
function reasonToFetch(input: SyncNeedInput): Reason | undefined {
  const { registry, status, force } = input;
  if (status.snapshot === undefined) return 'registry-not-ready';
  if (status.sourceHash !== sourceHash(registry)) return 'config-changed';
  if (status.filterHash !== filterHash(registry)) return 'filter-changed';
  if (force) return 'manual-sync-with-data-changes';
  if (isPointerLost(input)) return 'registry-not-ready';
  return fullSyncIsDue(input) ? 'reconcile-due' : undefined;
}

/** Returns whether something else has changed the pointer, and whether the snapshot of the status still counts. */
function isPointerLost({ registry, status, served }: SyncNeedInput): boolean {
  const isCurrent =
    status.sourceHash === sourceHash(registry) && status.filterHash === filterHash(registry);
  return status.snapshot !== undefined && status.snapshot !== served && isCurrent;
}

/** Returns the mirror if only the filter differs from the filter of the served snapshot. */
function mirrorToDerive({ registry, status, force }: SyncNeedInput): string | undefined {
  const hash = filterHash(registry);
  const isSameSource = status.sourceHash === sourceHash(registry);
  if (force || registry.catalog !== undefined || !isSameSource) return undefined;
  if (status.snapshot === undefined || status.filterHash === hash) return undefined;
  // A view that was held, or that ended its process, would do so again. Only the source can change that.
  if (status.held?.filterHash === hash || status.errorCode === 'run-crashed') return undefined;
  return mirrorOf(status);
}

function fullSyncIsDue({ registry, status, trigger, nowMs }: SyncNeedInput): boolean {
  const isCatalog = registry.catalog !== undefined;
  // Older versions stored only rows that passed the filter. A held state has no revision, so a run fetches it anyway.
  if (!isCatalog && status.held === undefined && mirrorOf(status) === undefined) return true;
  const { schedule, syncPolicy } = registry;
  const lastMs = Date.parse(status.lastSyncAt ?? '');
  // A daily firing comes slightly less than a day after the end of the last run. Therefore, if a full sync would be
  // overdue at the next firing, it is due at this firing.
  const byMs =
    schedule === undefined || trigger !== 'schedule' ? nowMs : nextFiringMs(schedule, nowMs) - 1;
  return !(byMs - lastMs < syncPolicy.fullInterval);
}

/** Hashes the identity of the source. After a change, the revision belongs to another source. */
export const sourceHash = hashOnce(sourceIdentity);

const filterIdentity = ({ filter }: Pick<RegistryConfig, 'filter'>) => [filter.names, filter.tags];

export const filterHash = hashOnce(filterIdentity);

const NO_PATTERNS = { include: [], exclude: [] };
/** The hash of the filter that keeps all rows. */
const NO_FILTER_HASH = hashOf(
  filterIdentity({ filter: { names: NO_PATTERNS, tags: NO_PATTERNS } }),
);

export function isFiltered(registry: RegistryConfig): boolean {
  return filterHash(registry) !== NO_FILTER_HASH;
}

/** Returns the hash of the filter that produced a snapshot. Older versions did not store it. */
export function filterHashOf({
  filterHash: noted = NO_FILTER_HASH,
}: {
  filterHash?: string | undefined;
}): string {
  return noted;
}

/** Returns the digest of the mirror, or `undefined` if the registry has no valid mirror. */
export function mirrorOf({
  filterHash: current,
  snapshot,
  ...status
}: SyncStatus): string | undefined {
  if (current === NO_FILTER_HASH) return snapshot;
  return isMirrorValid(status) ? status.mirror : undefined;
}

/** Returns whether the mirror in a status comes from the last sync. Older versions sync without a mirror. */
export function isMirrorValid({
  mirror,
  mirrorSyncAt,
  lastSyncAt,
}: Pick<SyncStatus, 'mirror' | 'mirrorSyncAt' | 'lastSyncAt'>): boolean {
  return mirror !== undefined && mirrorSyncAt === lastSyncAt;
}

/** Caches hashes, because each tick needs them. An unchanged config stays the same object. */
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
