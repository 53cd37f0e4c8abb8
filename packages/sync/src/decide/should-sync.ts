import type { Control, Reason, RegistryConfig, SyncStatus, Trigger } from '@syncline/contract';
import { nextFiringMs } from './cron.ts';
import { filterHash, mirrorOf, sourceHash } from './hashes.ts';

export interface SyncNeedInput {
  readonly registry: RegistryConfig;
  readonly status: SyncStatus;
  readonly control: Control;
  readonly trigger: Trigger;
  /** Fetch even where nothing seems to have changed. */
  readonly force: boolean;
  /** Epoch milliseconds by the store's clock. */
  readonly nowMs: number;
}

/** What the rules say before anyone has asked the source. */
export type SyncNeed =
  | { readonly need: 'none'; readonly reason: Reason; readonly message: string }
  /** Fetch, whatever a cheap check would say. If there is a `mirror`, the source is not needed: derive from that. */
  | { readonly need: 'fetch'; readonly reason: Reason; readonly mirror?: string }
  /** Ask the source whether it has changed since `known`. */
  | {
      readonly need: 'probe';
      readonly known: string;
      readonly changed: Reason;
      readonly unchanged: Reason;
    };

/**
 * Whether a registry is to be synced, and why. Pure: the same input gives the same answer. The rules
 * stand in their order of precedence.
 */
export function decideSyncNeed(input: SyncNeedInput): SyncNeed {
  const { registry, status, control, trigger, force, nowMs } = input;
  const asked = trigger === 'manual' || trigger === 'webhook';

  if (registry.suspended || control.suspended) {
    return { need: 'none', reason: 'suspended', message: 'suspended' };
  }
  if (control.pinned !== undefined) {
    return { need: 'none', reason: 'suspended', message: `pinned to snapshot ${control.pinned}` };
  }
  // A filter is in force at once, also while the source fails.
  const mirror = mirrorToDerive(input);
  if (mirror !== undefined) return { need: 'fetch', reason: 'filter-changed', mirror };
  // Who asks again and again for what ends its process each time would end one each time.
  const waits = !force && (!asked || status.errorCode === 'run-crashed');
  if (waits && Date.parse(status.nextDueAt ?? '') > nowMs) {
    const message = `failing; the next try is due at ${status.nextDueAt}`;
    return { need: 'none', reason: 'backing-off', message };
  }
  if (status.snapshot === undefined) return { need: 'fetch', reason: 'registry-not-ready' };
  if (status.sourceHash !== sourceHash(registry))
    return { need: 'fetch', reason: 'config-changed' };
  if (status.filterHash !== filterHash(registry))
    return { need: 'fetch', reason: 'filter-changed' };
  if (force) return { need: 'fetch', reason: 'manual-sync-with-data-changes' };
  if (fullSyncIsDue(input)) return { need: 'fetch', reason: 'reconcile-due' };

  const changed = asked ? 'manual-sync-with-data-changes' : 'source-data-changed';
  const unchanged = asked ? 'manual-sync-no-data-changes' : 'up-to-date-with-policy';
  if (status.revision === undefined) return { need: 'fetch', reason: changed };
  return { need: 'probe', known: status.revision, changed, unchanged };
}

/** The mirror of a registry whose filter, and nothing else, is another one than that of what is served. */
function mirrorToDerive({ registry, status, force }: SyncNeedInput): string | undefined {
  const hash = filterHash(registry);
  const isSameSource = status.sourceHash === sourceHash(registry);
  if (force || registry.catalog !== undefined || !isSameSource) return undefined;
  if (status.snapshot === undefined || status.filterHash === hash) return undefined;
  // A view that is held, or ends its process, does so again: only the source can change that.
  if (status.held?.filterHash === hash || status.errorCode === 'run-crashed') return undefined;
  return mirrorOf(status);
}

/** An older version has stored only what passed the filter. What is held has no revision, so that it is fetched anyway. */
function lacksMirror({ registry, status }: SyncNeedInput): boolean {
  return (
    registry.catalog === undefined && status.held === undefined && mirrorOf(status) === undefined
  );
}

function fullSyncIsDue(input: SyncNeedInput): boolean {
  if (lacksMirror(input)) return true;
  const { registry, status, trigger, nowMs } = input;
  const { schedule, syncPolicy } = registry;
  const lastMs = Date.parse(status.lastSyncAt ?? '');
  // A firing at the same time each day comes a little before a day has passed since the last run's end:
  // what would be overdue at the next firing is due at this one.
  const byMs =
    schedule === undefined || trigger !== 'schedule' ? nowMs : nextFiringMs(schedule, nowMs) - 1;
  return !(byMs - lastMs < syncPolicy.fullInterval);
}
