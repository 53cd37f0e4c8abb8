import type { MessagePort } from 'node:worker_threads';
import type { ErrorCode, Filter } from '@syncline/contract';
import type { BodyOrigin, BodySummary, RowKey } from '@syncline/rows';
import type { Blob, BuiltSnapshot, EndLock } from '@syncline/snapshot';
import type { CollectedTotals, RowCollectorOptions } from './row-collector.ts';

/** What a thread is started with. */
export interface IngestTask {
  readonly port: MessagePort;
  readonly endLock: EndLock;
  readonly maxRows: number;
  readonly order: RowCollectorOptions['order'];
  /** The manifest to build upon: that of the mirror, or of a catalog. */
  readonly previous: Blob | undefined;
  /** What is served of the mirror, if that is not the mirror itself. */
  readonly view?: ViewTask | undefined;
  /** Names so many rows of each kind, and what has changed in them: for someone who is looking. */
  readonly detail?: { readonly sampleLimit: number } | undefined;
}

/** What is served of a mirror. */
export interface ViewTask extends FilterTask {
  /** The manifest that is served now. */
  readonly served: Blob | undefined;
  /** Whether `served` is the view of `previous` by this filter. If not, all rows are looked at. */
  readonly isCurrent: boolean;
}

export interface FilterTask {
  readonly filter: Filter;
  /** What the manifest says of it; `undefined` for a filter that keeps everything. */
  readonly filterHash: string | undefined;
}

/** To the thread, each answered by one {@link IngestAnswer}. */
export type IngestQuestion =
  | { readonly kind: 'body'; readonly body: Uint8Array; readonly origin: BodyOrigin }
  /** With `removals` the bodies are a delta of the mirror; else they are the whole state. */
  | {
      readonly kind: 'build';
      readonly nowMs: number;
      readonly removals: readonly RowKey[] | undefined;
    }
  /** Instead of bodies: the view is derived from the mirror as it is. */
  | { readonly kind: 'derive'; readonly nowMs: number }
  /** Instead of bodies: a catalog is built from what its registries have published. */
  | ({
      readonly kind: 'merge';
      readonly nowMs: number;
      readonly members: readonly MemberBlobs[];
    } & FilterTask)
  /** The answer to `need-chunks`; what it answers in turn is what `build` asked for. */
  | { readonly kind: 'chunks'; readonly chunks: readonly Blob[] }
  | { readonly kind: 'close' };

/** From the thread. */
export type IngestAnswer =
  /** The body is a registry's; its rows are taken while the next one is fetched. */
  | { readonly kind: 'summary'; readonly summary: BodySummary }
  /** Chunks of the registry itself; of another one where it is named. */
  | {
      readonly kind: 'need-chunks';
      readonly digests: readonly string[];
      readonly registry: string | undefined;
    }
  | { readonly kind: 'built'; readonly built: IngestResult };

/** The manifests of a registry that a catalog is built from. */
export interface MemberBlobs {
  readonly registry: string;
  readonly manifest: Blob;
  /** That of the snapshot that the catalog was built from last, where it is still there. */
  readonly before: Blob | undefined;
}

/** How a thread's work on a run ended. */
export type IngestEnd =
  | { readonly kind: 'closed' }
  /** Rows came out of order too late: everything is to be read once more, in the order `buffered`. */
  | { readonly kind: 'out-of-order' }
  | { readonly kind: 'failed'; readonly error: IngestFailure };

/** Rows that are handed on came, after all, before one that came later. */
export class OutOfOrder extends Error {
  override readonly name = 'OutOfOrder';
}

/** An error on its way out of a thread: what structured cloning would lose of it. */
export interface IngestFailure {
  readonly code: ErrorCode;
  readonly message: string;
}

/** What became of all bodies: the snapshot to serve. */
export type IngestResult = BuiltSnapshot &
  Pick<CollectedTotals, 'readCount' | 'quarantined'> & {
    /** The mirror that it was derived from, if that was built too. */
    readonly mirror?: BuiltSnapshot | undefined;
    /** With {@link IngestTask.detail}: the fields that differ, for each sample of `diff` that is updated. */
    readonly changedFields: readonly (readonly string[])[];
  };
