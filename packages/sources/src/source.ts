import { onAbort, type SyncStatus } from '@syncline/contract';
import type { BodyOrigin, BodySummary, RowKey } from '@syncline/rows';
import type { Git } from './git/git.ts';
import type { HttpClient } from './http/http.ts';
import type { FileCalls } from './kinds/file-source.ts';

/** What a source's cheap check found. */
export type Probe =
  /** Nothing has changed; `revision`, if it is given, replaces the one that was known. */
  | { readonly state: 'unchanged'; readonly revision?: string }
  /** Something has changed, or only fetching can tell. */
  | { readonly state: 'changed' };

/** All rows of a registry were read. */
export interface WholeReading {
  readonly kind: 'whole';
  readonly revision?: string | undefined;
}

/** What a source has read. The rows themselves went to `take`. */
export type SourceReading =
  | WholeReading
  /** The rows that are new or different since a revision, and the keys of those that are gone. */
  | {
      readonly kind: 'delta';
      /** The revision that the delta applies to: the one that was asked for. */
      readonly since: string;
      readonly removals: readonly RowKey[];
      /** What to ask from the next time. */
      readonly revision?: string | undefined;
      /** Whether the delta leads to the present state. If not, the source has more since `revision`. */
      readonly complete: boolean;
    };

export interface FetchOptions {
  /** The revision of the rows that the caller has, if it can apply a delta to them. */
  readonly since?: string | undefined;
}

/** Takes the bodies of a source; the answer says how a list in pages goes on. */
export type TakeBody = (body: Uint8Array, origin?: BodyOrigin) => Promise<BodySummary>;

/**
 * One way to read a registry. A source object serves one run: `fetch` does not read again what `probe` has
 * read and kept.
 */
export interface Source {
  /** Whether `fetch` may answer `since` with a delta. */
  readonly givesDeltas?: boolean;
  /**
   * Tells cheaply whether the upstream still has the state that `known` marks. Gives nobody rows.
   *
   * @throws SynclineError if even that fails; the signal's reason
   */
  probe(known: string, context: SourceContext): Promise<Probe>;
  /**
   * Hands the bodies of the registry to `take`: all of them, or with `since` perhaps only what has changed.
   *
   * @returns what the bodies are, and the mark of the state that was read, if the source has one; without
   *   `since`, always `whole`
   * @throws SynclineError, after which nothing that was taken before is of any use; the signal's reason
   */
  fetch(take: TakeBody, context: SourceContext, options?: FetchOptions): Promise<SourceReading>;
}

/** The part of a run that sources may know. */
export interface SourceContext {
  /** Aborted when the process stops, the run's time is up, or the lease is lost. */
  readonly signal: AbortSignal;
  readonly status: SyncStatus;
  readonly upstream: UpstreamUsage;
  /** What the run has read to be let in by its upstream: taken out of whatever it says. Sources add to it. */
  readonly credentials: Set<string>;
  /** Says what the run is at, in the status; a failure to write it is logged and no more. */
  readonly report: (message: string) => void;
}

/** What a process has to read sources with. */
export interface SourceTools {
  readonly http: HttpClient;
  /** If it is missing, registries in Git repositories cannot be read. */
  readonly git?: Git;
  readonly calls: FileCalls;
}

/** What one run has cost its upstream. Sources add to it as they go. */
export interface UpstreamUsage {
  requests: number;
  bytes: number;
}

/**
 * Returns what a promise gives, or throws the signal's reason as soon as that is aborted. The work behind
 * the promise goes on, and its result is dropped.
 */
export async function orAbort<Result>(work: Promise<Result>, signal: AbortSignal): Promise<Result> {
  const aborted = Promise.withResolvers<never>();
  using _listening = onAbort(signal, () => aborted.reject(signal.reason));
  return await Promise.race([work, aborted.promise]);
}
