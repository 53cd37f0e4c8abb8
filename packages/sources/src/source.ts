import { onAbort, type SyncStatus } from '@syncline/contract';
import type { BodyOrigin, BodySummary, RowKey } from '@syncline/rows';
import type { Git } from './git/git.ts';
import type { HttpClient } from './http/http.ts';
import type { FileCalls } from './kinds/file-source.ts';
import type { MemoryAccount } from './memory/memory-account.ts';

/** The result of a source's cheap check. */
export type Probe =
  /** The upstream has not changed. If `revision` is present, it replaces the known revision. */
  | { readonly state: 'unchanged'; readonly revision?: string }
  /** The upstream has changed, or only `fetch` can detect whether it has changed. */
  | { readonly state: 'changed' };

/** The source has read all rows of the registry. */
export interface WholeReading {
  readonly kind: 'whole';
  readonly revision?: string | undefined;
}

/** The result of a fetch. The fetch has passed the rows themselves to `take`. */
export type SourceReading =
  | WholeReading
  /** The rows that are new or changed since a revision, and the keys of removed rows. */
  | {
      readonly kind: 'delta';
      /** The revision that the delta applies to: `since` of the fetch options. */
      readonly since: string;
      readonly removals: readonly RowKey[];
      /** The value of `since` for the next fetch. */
      readonly revision?: string | undefined;
      /**
       * Whether the delta leads to the current state. If not, the source has more changes after `revision`.
       */
      readonly complete: boolean;
    };

export interface FetchOptions {
  /** The revision of the rows that the caller has, if it can apply a delta to them. */
  readonly since?: string | undefined;
}

/** Takes a body of a source. The returned summary contains the next cursor of a paged list. */
export type TakeBody = (body: Uint8Array, origin?: BodyOrigin) => Promise<BodySummary>;

/** Reads one registry. A source object serves one run: `fetch` reuses the data that `probe` has read. */
export interface Source {
  /** Whether `fetch` may return a delta if `since` is given. */
  readonly givesDeltas?: boolean;
  /**
   * Checks cheaply whether the upstream still has the state of the revision `known`.
   *
   * @throws SynclineError if the check fails; the signal's reason
   */
  probe(known: string, context: SourceContext): Promise<Probe>;
  /**
   * Passes the bodies of the registry to `take`. Without `since`, passes all bodies; with `since`, may pass
   * only the changes.
   *
   * @returns the result, with a revision if the source has one; without `since`, the kind is always `whole`
   * @throws SynclineError, after which the caller must discard the bodies that it took; the signal's reason
   */
  fetch(take: TakeBody, context: SourceContext, options?: FetchOptions): Promise<SourceReading>;
}

/** The data of a run that sources use. */
export interface SourceContext {
  /** Aborted when the process stops, the run's time is over, or the lease is lost. */
  readonly signal: AbortSignal;
  readonly status: SyncStatus;
  readonly upstream: UpstreamUsage;
  /** The memory of the run. Sources reserve memory before they allocate it. */
  readonly memory: MemoryAccount;
  /**
   * The credentials that the run has read. Sources add credentials to this set, and errors never contain
   * these credentials.
   */
  readonly credentials: Set<string>;
  /** Reports progress in the status. If the write fails, the failure is only logged. */
  readonly report: (message: string) => void;
}

/** The largest body of a registry in one file. The complete official registry has about 150 MB. */
export const MAX_BODY_BYTES = 256 * 1024 * 1024;
/**
 * Many probes run at once, so they keep only bodies up to this size. For a larger body, `fetch` reads it
 * again.
 */
export const MAX_KEPT_BYTES = 16 * 1024 * 1024;

/** The shared clients with which a process reads sources. */
export interface SourceTools {
  readonly http: HttpClient;
  readonly git: Git;
  readonly calls: FileCalls;
}

/** The requests and bytes that one run has used. Sources increase them. */
export interface UpstreamUsage {
  requests: number;
  bytes: number;
}

/**
 * Returns the result of a promise, or throws the signal's reason as soon as the signal is aborted. After an
 * abort, the work behind the promise continues, and its result is ignored.
 */
export async function orAbort<Result>(work: Promise<Result>, signal: AbortSignal): Promise<Result> {
  const aborted = Promise.withResolvers<never>();
  using _listening = onAbort(signal, () => aborted.reject(signal.reason));
  return await Promise.race([work, aborted.promise]);
}
