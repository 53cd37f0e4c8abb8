import type { MessagePort } from 'node:worker_threads';
import type { ErrorCode, Filter, QuarantinedRow } from '@syncline/contract';
import type { BodyOrigin, BodySummary, RowKey } from '@syncline/rows';
import type { Blob, BuiltSnapshot, TerminationLock } from '@syncline/snapshot';
import type { RowCollectorOptions } from './ingest-thread.ts';

/** The input of a thread. */
export interface IngestTask {
  readonly port: MessagePort;
  readonly lock: TerminationLock;
  readonly order: RowCollectorOptions['order'];
  /** The manifest to build upon: that of the mirror, or of a catalog. */
  readonly previous: Blob | undefined;
  /** The view of the mirror that is served, if that is not the mirror itself. */
  readonly view?: ViewTask | undefined;
  /** How many rows of each kind to name with their changed fields, for a person to read. */
  readonly detail?: { readonly sampleLimit: number } | undefined;
}

/** The view of a mirror. */
export interface ViewTask extends FilterTask {
  /** The manifest that is served now. */
  readonly served: Blob | undefined;
  /** Whether `served` was derived from `previous` with this filter. If not, the thread filters every row again. */
  readonly isCurrent: boolean;
}

export interface FilterTask {
  readonly filter: Filter;
  /** `undefined` for a filter that keeps everything. */
  readonly filterHash: string | undefined;
}

/** To the thread, each answered by one {@link IngestAnswer}. */
export type IngestQuestion =
  | { readonly kind: 'body'; readonly body: Uint8Array; readonly origin: BodyOrigin }
  /** With `removals` the bodies are a delta of the mirror; else they are the whole state. */
  | {
      readonly kind: 'build';
      readonly nowMs: number;
      readonly removals?: readonly RowKey[] | undefined;
    }
  /** Instead of bodies: the view is derived from the mirror as it is. */
  | { readonly kind: 'derive'; readonly nowMs: number }
  /** Instead of bodies: a catalog is built from what its registries have published. */
  | ({
      readonly kind: 'merge';
      readonly nowMs: number;
      readonly members: readonly MemberBlobs[];
    } & FilterTask)
  /** The reply to `need-chunks`. Its answer is that of the question before. */
  | { readonly kind: 'chunks'; readonly chunks: readonly Blob[] }
  | { readonly kind: 'close' };

/** From the thread. */
export type IngestAnswer =
  /** The body is a registry. Its rows are taken while the next body is fetched. */
  | { readonly kind: 'summary'; readonly summary: BodySummary }
  /** Chunks of the registry itself, or of the one that is named. */
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
  /** The manifest that the catalog was last built from, if it is still stored. */
  readonly before: Blob | undefined;
}

/** How a thread's work on a run ended. */
export type IngestEnd =
  | { readonly kind: 'closed' }
  /** A row came too late for the order: read everything again, in the order `buffered`. */
  | { readonly kind: 'out-of-order' }
  /** The parts of an error that structured cloning would lose. */
  | { readonly kind: 'failed'; readonly code: ErrorCode; readonly message: string };

/** A row came that belongs before rows that are already handed on. */
export class OutOfOrder extends Error {
  override readonly name = 'OutOfOrder';
}

/** The result of all bodies: the snapshot to serve. */
export interface IngestResult extends BuiltSnapshot {
  /** How many rows were read, with the invalid ones. */
  readonly readCount: number;
  readonly quarantined: { readonly count: number; readonly samples: readonly QuarantinedRow[] };
  /** The mirror that it was derived from, if that was built too. */
  readonly mirror?: BuiltSnapshot | undefined;
  /** With {@link IngestTask.detail}: the fields that differ, for each sample of `diff` that is updated. */
  readonly changedFields: readonly (readonly string[])[];
}
