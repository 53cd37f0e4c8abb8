import { onAbort, type SyncStatus } from '@syncline/contract';
import type { BodyOrigin, BodySummary, RowKey } from '@syncline/rows';
import type { Git } from './git/git.ts';
import type { HttpClient } from './http/http.ts';
import type { FileCalls } from './kinds/file-source.ts';

/** The result of a source's cheap check. */
export type Probe =
  /** Nothing has changed. A `revision` replaces the known one. */
  | { readonly state: 'unchanged'; readonly revision?: string }
  /** Something has changed, or only `fetch` can tell. */
  | { readonly state: 'changed' };

/** All rows of a registry were read. */
export interface WholeReading {
  readonly kind: 'whole';
  readonly revision?: string | undefined;
}

/** What a source has read. Its rows went to `take`. */
export type SourceReading =
  | WholeReading
  /** The rows that are new or different since a revision, and the keys of removed rows. */
  | {
      readonly kind: 'delta';
      /** The revision that the delta applies to: `since` of the options. */
      readonly since: string;
      readonly removals: readonly RowKey[];
      /** `since` of the next fetch. */
      readonly revision?: string | undefined;
      /** Whether the delta leads to the present state. If not, the source has more since `revision`. */
      readonly complete: boolean;
    };

export interface FetchOptions {
  /** The revision of the rows that the caller has, if it can apply a delta to them. */
  readonly since?: string | undefined;
}

/** Takes a body of a source. The answer has the next cursor of a paged list. */
export type TakeBody = (body: Uint8Array, origin?: BodyOrigin) => Promise<BodySummary>;

/** One way to read a registry. A source object serves one run: `fetch` reuses what `probe` has read. */
export interface Source {
  /** Whether `fetch` may answer `since` with a delta. */
  readonly givesDeltas?: boolean;
  /**
   * Checks cheaply whether the upstream still has the state of the revision `known`.
   *
   * @throws SynclineError if the check fails; the signal's reason
   */
  probe(known: string, context: SourceContext): Promise<Probe>;
  /**
   * Passes the bodies of the registry to `take`: all of them, or with `since` perhaps only the changes.
   *
   * @returns what was read, and its revision if the source has one; without `since`, always `whole`
   * @throws SynclineError, after which the bodies taken so far are useless; the signal's reason
   */
  fetch(take: TakeBody, context: SourceContext, options?: FetchOptions): Promise<SourceReading>;
}

/** The part of a run that sources know. */
export interface SourceContext {
  /** Aborted when the process stops, the run's time is up, or the lease is lost. */
  readonly signal: AbortSignal;
  readonly status: SyncStatus;
  readonly upstream: UpstreamUsage;
  /** The credentials that the run has read. Sources add to them; all errors withhold them. */
  readonly credentials: Set<string>;
  /** Reports progress in the status. A failure to write it is only logged. */
  readonly report: (message: string) => void;
}

/** The largest body of a registry in one file. The official registry, whole, has about 150 MB. */
export const MAX_BODY_BYTES = 512 * 1024 * 1024;
/** Many probes run at once: they keep smaller bodies only, and `fetch` reads a larger one again. */
export const MAX_KEPT_BYTES = 64 * 1024 * 1024;

/** The tools of a process to read sources. */
export interface SourceTools {
  readonly http: HttpClient;
  readonly git: Git;
  readonly calls: FileCalls;
}

/** What one run has cost its upstream. Sources add to it. */
export interface UpstreamUsage {
  requests: number;
  bytes: number;
}

/**
 * Returns the result of a promise, or throws the signal's reason as soon as the signal is aborted. The work
 * behind the promise goes on, and its result is dropped.
 */
export async function orAbort<Result>(work: Promise<Result>, signal: AbortSignal): Promise<Result> {
  const aborted = Promise.withResolvers<never>();
  using _listening = onAbort(signal, () => aborted.reject(signal.reason));
  return await Promise.race([work, aborted.promise]);
}
