import type { Control, Lease, Run, StatusChanges, SyncStatus } from '@syncline/contract';
import type { Publication } from '@syncline/snapshot';

/** Why a lease is asked for. */
export type LeasePurpose =
  /** A firing, or a wake-up without a number. */
  | {
      readonly kind: 'tick';
      /**
       * The tick is superseded if the last run succeeded and began less than this long ago. Default: 0, never.
       */
      readonly supersededWithinMs?: number;
    }
  /** A request that this call makes. It is counted first, and so answered even if the lease is busy. */
  | { readonly kind: 'request'; readonly force: boolean }
  /** A wake-up for request number `request`. There is nothing to do if a run has handled it already. */
  | { readonly kind: 'wake-up'; readonly request: number };

export interface AcquireOptions {
  readonly registry: string;
  readonly owner: string;
  readonly ttlMs: number;
  readonly purpose: LeasePurpose;
  /** The caller runs no other registry that may be poison. Default: false. */
  readonly isIsolated?: boolean;
}

/** The lease, and what was stored when it was taken. */
export interface Acquired {
  readonly state: 'acquired';
  readonly lease: Lease;
  /** Epoch milliseconds by the store's clock, at the moment of acquisition. */
  readonly nowMs: number;
  /** The status after the last run, except that `startsWithoutFinish` counts this run. */
  readonly status: SyncStatus;
  readonly control: Control;
}

export type Acquisition =
  | Acquired
  | { readonly state: 'busy'; readonly owner: string; readonly leaseUntilMs: number }
  /** A run has handled the request already. */
  | { readonly state: 'handled' }
  /** The last run answers the tick. */
  | { readonly state: 'superseded' }
  /**
   * The last two runs died with their process: ask again when no other such registry runs in this process.
   * `openRequest` is the newest open request, which the call may have counted; 0 if none is open.
   */
  | { readonly state: 'isolate'; readonly openRequest: number };

/** After this many runs in a row that never finished, a registry counts as poison. */
export const POISON_AFTER_STARTS = 3;

/** The result of a renewal. With `stop` an operator ends the run. */
export type Renewal = { readonly held: false } | { readonly held: true; readonly stop: boolean };

/** What the end of a run writes, in one step or not at all. */
export interface RunEnding {
  /** The changes of the status. The lease is released too. */
  readonly changes: StatusChanges;
  /** Appended to the run log; absent for a tick that found nothing to do. */
  readonly run?: Run;
  /** The last request that the run answers. */
  readonly handledRequest?: number;
}

export type Finished =
  /** `openRequest`: a request that came in during the run, and needs its own run. */
  | { readonly state: 'finished'; readonly openRequest?: number }
  /** The lease was lost: nothing was written. */
  | { readonly state: 'refused' }
  /** A chunk or the manifest is missing: nothing was written, and the lease is still held. */
  | { readonly state: 'incomplete'; readonly missing: string };

/** The leases, and the writes that they fence. Uses the store's own clock. */
export interface RunStore {
  /** Acquires the lease of a registry, or returns why not. One round trip. */
  acquire(options: AcquireOptions): Promise<Acquisition>;
  /** Extends leases to `ttlMs` from now, all in one round trip. Returns results in the same order. */
  renew(leases: readonly Lease[], options: { ttlMs: number }): Promise<Renewal[]>;
  /** Flips the pointer, saves the status, appends the run and releases the lease: all of it or nothing. */
  publishAndFinish(lease: Lease, ending: RunEnding, publication: Publication): Promise<Finished>;
  /** Saves the status, appends the run and releases the lease. What is served does not change. */
  finish(lease: Lease, ending: RunEnding): Promise<Finished>;
  /**
   * Changes the status without a lease, if nothing has happened since the run of `term` ended. One round trip.
   *
   * @returns false if a run has begun since, a request is open, or the registry is paused
   */
  confirmUnchanged(
    registry: string,
    confirmation: { term: string; changes: StatusChanges },
  ): Promise<boolean>;
}
