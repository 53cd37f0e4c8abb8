import type { SyncStatus } from '@syncline/contract';
import type { BodyOrigin, BodySummary } from '@syncline/rows';
import type { FileCalls } from './files/file-calls.ts';
import type { Git } from './git/git.ts';
import type { HttpClient } from './http/http.ts';
import type { UpstreamUsage } from './upstream-usage.ts';

/** What a source's cheap check found. */
export type Probe =
  /** Nothing has changed; `revision`, where given, replaces the one that was known. */
  | { readonly state: 'unchanged'; readonly revision?: string }
  /** Something has changed, or only fetching can tell. */
  | { readonly state: 'changed' };

/** Takes the bodies of a source; the answer says how a list in pages goes on. */
export type TakeBody = (body: Uint8Array, origin?: BodyOrigin) => Promise<BodySummary>;

/**
 * One way to read a registry. A source object serves one run: what `probe` has read, `fetch` need not
 * read again.
 */
export interface Source {
  /**
   * Tells cheaply whether the upstream still has the state that `known` marks.
   *
   * @throws SynclineError where even that fails
   */
  probe(known: string, context: SourceContext): Promise<Probe>;
  /**
   * Hands every body of the registry to `take`.
   *
   * @returns the mark of the state that was read, where the source has one
   * @throws SynclineError; nothing that was taken before is of any use then
   */
  fetch(take: TakeBody, context: SourceContext): Promise<{ revision: string | undefined }>;
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
