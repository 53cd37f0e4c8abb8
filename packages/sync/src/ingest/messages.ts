import type { MessagePort } from 'node:worker_threads';
import type { ErrorCode, Filter, QuarantinedRow } from '@syncline/contract';
import type { BodyOrigin, BodySummary, RowKey } from '@syncline/rows';
import type { Blob, BuiltSnapshot, TerminationLock } from '@syncline/snapshot';
import type { RowCollectorOptions } from './row-collector.ts';

/** The input of a thread. */
export interface IngestTask {
  readonly port: MessagePort;
  readonly lock: TerminationLock;
  /** The thread writes its number here, so that others can read its processor time. */
  readonly threadNumber: Int32Array<SharedArrayBuffer>;
  readonly order: RowCollectorOptions['order'];
  /** How many bytes of rows and chunks the thread may retain. It must be far below the heap of the thread. */
  readonly maxRetainedBytes: number;
  /** The base manifest: the manifest of the mirror, or of a catalog. */
  readonly previous: Blob | undefined;
  /** The served view of the mirror, if the served snapshot is not the mirror itself. */
  readonly view?: ViewTask | undefined;
  /** How many rows of each kind to name with their changed fields, for people to read. */
  readonly detail?: { readonly sampleLimit: number } | undefined;
}

/** The view of a mirror. */
export interface ViewTask extends FilterTask {
  /** The served manifest. */
  readonly served: Blob | undefined;
  /** Whether `served` was derived from `previous` with this filter. Otherwise, the thread filters every row again. */
  readonly isCurrent: boolean;
}

export interface FilterTask {
  readonly filter: Filter;
  /** `undefined` if the filter keeps everything. */
  readonly filterHash: string | undefined;
}

/** A message to the thread. One {@link IngestAnswer} answers each question. */
export type IngestQuestion =
  | {
      readonly kind: 'body';
      readonly body: Uint8Array;
      readonly origin: BodyOrigin;
      /** The credentials that the run has used so far. A row that contains one is skipped. */
      readonly secrets: readonly string[];
    }
  /** With `removals`, the bodies are a delta of the mirror. Otherwise, they are the whole state. */
  | {
      readonly kind: 'build';
      readonly nowMs: number;
      readonly removals?: readonly RowKey[] | undefined;
    }
  /** Derives the view from the stored mirror, without bodies. */
  | { readonly kind: 'derive'; readonly nowMs: number }
  /** Builds a catalog from the served snapshots of its members, without bodies. */
  | ({
      readonly kind: 'merge';
      readonly nowMs: number;
      readonly members: readonly MemberBlobs[];
    } & FilterTask)
  /** The reply to `need-chunks`. The thread then answers the question before. */
  | { readonly kind: 'chunks'; readonly chunks: readonly Blob[] }
  | { readonly kind: 'close' };

/** A message from the thread. */
export type IngestAnswer =
  /**
   * The body is a registry. If the body names a next one, the thread takes the rows while the source fetches it.
   */
  | {
      readonly kind: 'summary';
      readonly summary: BodySummary;
      /** What the thread retains of all bodies so far. */
      readonly retainedBytes: number;
    }
  /** Asks for chunks of the registry itself, or of the named one. */
  | {
      readonly kind: 'need-chunks';
      readonly digests: readonly string[];
      readonly registry: string | undefined;
    }
  | { readonly kind: 'built'; readonly built: IngestResult };

/** The manifests of a catalog's member. */
export interface MemberBlobs {
  readonly registry: string;
  readonly manifest: Blob;
  /** The member's manifest at the last build of the catalog, if it is still stored. */
  readonly before: Blob | undefined;
}

/** How a thread's work on a run ended. */
export type IngestEnd =
  | { readonly kind: 'closed' }
  /** A row came too late for the order. The run must read everything again, with the order `buffered`. */
  | { readonly kind: 'out-of-order' }
  /** The parts of an error that structured cloning would lose. */
  | { readonly kind: 'failed'; readonly code: ErrorCode; readonly message: string };

/** A row belongs before rows that were already handed on. */
export class OutOfOrder extends Error {
  override readonly name = 'OutOfOrder';
}

/** The result of all bodies: the snapshot to serve. */
export interface IngestResult extends BuiltSnapshot {
  /** The number of rows, including invalid ones. */
  readonly readCount: number;
  readonly quarantined: { readonly count: number; readonly samples: readonly QuarantinedRow[] };
  /** The mirror of the snapshot, if the thread also built the mirror. */
  readonly mirror?: BuiltSnapshot | undefined;
  /** With {@link IngestTask.detail}: the fields that differ in each updated sample of `diff`. */
  readonly changedFields: readonly (readonly string[])[];
}
