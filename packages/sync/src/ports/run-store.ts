import type { Control, Lease, Run, StatusChanges, SyncStatus } from '@syncline/contract';
import type { Publication } from '@syncline/snapshot';

/** Why a lease is asked for. */
export type LeasePurpose =
  /** A firing or a wake-up without a number: run if nobody does. */
  | {
      readonly kind: 'tick';
      /**
       * The tick is superseded if the last run succeeded and began less than this long ago. Default: 0, never.
       */
      readonly supersededWithinMs?: number;
    }
  /** A request made by this very call: counted first, so that it is answered even if the lease is busy. */
  | { readonly kind: 'request'; readonly force: boolean }
  /** A wake-up for request number `request`: nothing to do if a run has handled it already. */
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
  /** As the runs before this one left it, but `startsWithoutFinish` counts this one. */
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

/** After so many runs in a row that never finished, a registry is taken for poison. */
export const POISON_AFTER_STARTS = 3;

/** What a renewal found. `stop` says that an operator wants the run ended. */
export type Renewal = { readonly held: false } | { readonly held: true; readonly stop: boolean };

/** What a run leaves behind: written in one step, or not at all. */
export interface RunEnding {
  /** What changes in the status; the lease is freed besides. */
  readonly changes: StatusChanges;
  /** Appended to the run log; absent for a tick that found nothing to do. */
  readonly run?: Run;
  /** The last request that the run answers. */
  readonly handledRequest?: number;
}

export type Finished =
  /** `openRequest`: a request that came in meanwhile and wants a run of its own. */
  | { readonly state: 'finished'; readonly openRequest?: number }
  /** The lease is no longer ours: nothing was written. */
  | { readonly state: 'refused' }
  /** A chunk or the manifest is not there: nothing was written, the lease is still ours. */
  | { readonly state: 'incomplete'; readonly missing: string };

/** The leases, and the writes that they fence. Time is the store's own. */
export interface RunStore {
  /** Takes the registry's lease, or says who has it. One round trip. */
  acquire(options: AcquireOptions): Promise<Acquisition>;
  /** Extends leases by `ttlMs` from now, all in one round trip; answers in the order asked. */
  renew(leases: readonly Lease[], options: { ttlMs: number }): Promise<Renewal[]>;
  /** Flips the pointer, saves status, appends the run and frees the lease: all of it or nothing. */
  publishAndFinish(lease: Lease, ending: RunEnding, publication: Publication): Promise<Finished>;
  /** Saves status, appends the run and frees the lease, without touching what is served. */
  finish(lease: Lease, ending: RunEnding): Promise<Finished>;
  /**
   * Changes the status without a lease, if nothing has happened since the run of `term` ended, and nobody
   * wants anything of the registry. One round trip.
   *
   * @returns false where a run has begun since, a request is open, or an operator holds the registry
   */
  confirmUnchanged(
    registry: string,
    confirmation: { term: string; changes: StatusChanges },
  ): Promise<boolean>;
}
