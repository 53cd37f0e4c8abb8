import type { Control, Lease, Run, StatusChanges, SyncStatus } from '@syncline/contract';
import type { Publication } from '@syncline/snapshot';

/** Why a caller asks for a lease. */
export type LeasePurpose =
  /** A firing, or a wake-up without a request number. */
  | {
      readonly kind: 'tick';
      /** Milliseconds. A successful run that started within this time supersedes the tick. Default: 0, never. */
      readonly supersededWithinMs?: number;
    }
  /** A new request. The store counts the request before it checks the lease, so that a busy lease loses no request. */
  | { readonly kind: 'request'; readonly force: boolean }
  /** A wake-up for the request number `request`. Does nothing if a run has already handled the request. */
  | { readonly kind: 'wake-up'; readonly request: number };

export interface AcquireOptions {
  readonly registry: string;
  readonly owner: string;
  readonly ttlMs: number;
  readonly purpose: LeasePurpose;
  /** Whether the caller runs no other registry that may be poison. Default: false. */
  readonly isIsolated?: boolean;
}

/** The lease, and the stored state at the acquisition. */
export interface Acquired {
  readonly state: 'acquired';
  readonly lease: Lease;
  /** The time of the acquisition, in epoch milliseconds by the store's clock. */
  readonly nowMs: number;
  /** The status after the last run, except that `startsWithoutFinish` counts this run. */
  readonly status: SyncStatus;
  readonly control: Control;
  /** The digest that the pointer names. It differs from `status.snapshot` only if something else changed the pointer. */
  readonly served: string | undefined;
}

export type Acquisition =
  | Acquired
  | { readonly state: 'busy'; readonly owner: string; readonly leaseUntilMs: number }
  /** A run has already handled the request. */
  | { readonly state: 'handled' }
  /** The last run answers the tick. */
  | { readonly state: 'superseded' }
  /**
   * The last two runs died with their process. The caller must ask again when no other such registry runs in its
   * process. `openRequest` is the newest open request, which this call may have counted; 0 if none is open.
   */
  | { readonly state: 'isolate'; readonly openRequest: number };

/** After this many unfinished runs in a row, a registry counts as poison. */
export const POISON_AFTER_STARTS = 3;

/** The result of a renewal. `stop` means that an operator wants the run to end. */
export type Renewal = { readonly held: false } | { readonly held: true; readonly stop: boolean };

/** What the end of a run writes, in one step or not at all. */
export interface RunEnding {
  /** The changes of the status. The store also releases the lease. */
  readonly changes: StatusChanges;
  /** The entry for the run log. Absent for a tick that found nothing to do. */
  readonly run?: Run;
  /** The last request that the run answers. */
  readonly handledRequest?: number;
}

export type Finished =
  /** `openRequest`: a request that arrived during the run, and needs its own run. */
  | { readonly state: 'finished'; readonly openRequest?: number }
  /** The lease is lost: nothing was written. */
  | { readonly state: 'refused' }
  /** A chunk or the manifest is missing: nothing was written, and the run still has the lease. */
  | { readonly state: 'incomplete'; readonly missing: string };

/** The leases, and the writes that they fence. All times come from the store's clock. */
export interface RunStore {
  /** Acquires the lease of a registry, or returns why it cannot. One round trip. */
  acquire(options: AcquireOptions): Promise<Acquisition>;
  /** Extends leases to `ttlMs` from now, all in one round trip. Returns results in the same order. */
  renew(leases: readonly Lease[], options: { ttlMs: number }): Promise<Renewal[]>;
  /** Moves the pointer, saves the status, logs the run and releases the lease: either all of it or nothing. */
  publishAndFinish(lease: Lease, ending: RunEnding, publication: Publication): Promise<Finished>;
  /** Saves the status, logs the run and releases the lease. The served snapshot stays the same. */
  finish(lease: Lease, ending: RunEnding): Promise<Finished>;
  /**
   * Changes the status without a lease, if nothing has happened since the run `term` ended. One round trip.
   *
   * @returns false if another run has started since, a request is open, the registry is paused, or the pointer does not
   *   name the snapshot of the status
   */
  confirmUnchanged(
    registry: string,
    confirmation: { term: string; changes: StatusChanges },
  ): Promise<boolean>;
}
