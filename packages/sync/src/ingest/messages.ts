import type { MessagePort } from 'node:worker_threads';
import type { ErrorCode, Filter, QuarantinedRow } from '@syncline/contract';
import type { Blob } from '../ports.ts';
import type { BuiltSnapshot } from '../snapshot/build.ts';
import type { BodySummary } from './row-collector.ts';

/** What a thread is started with. */
export interface IngestTask {
  readonly port: MessagePort;
  readonly filter: Filter;
  readonly maxRows: number;
}

/** To the thread, each answered by one {@link IngestAnswer}. */
export type IngestQuestion =
  | { readonly kind: 'body'; readonly body: Uint8Array }
  | { readonly kind: 'build'; readonly previous: Blob | undefined; readonly nowMs: number }
  /** The answer to `need-chunks`; what it answers in turn is what `build` asked for. */
  | { readonly kind: 'chunks'; readonly chunks: readonly Blob[] }
  | { readonly kind: 'close' };

/** From the thread. */
export type IngestAnswer =
  | { readonly kind: 'summary'; readonly summary: BodySummary }
  | { readonly kind: 'need-chunks'; readonly digests: readonly string[] }
  | { readonly kind: 'built'; readonly built: IngestResult }
  | { readonly kind: 'failed'; readonly error: IngestFailure };

/** An error on its way out of a thread: what structured cloning would lose of it. */
export interface IngestFailure {
  readonly code: ErrorCode;
  readonly message: string;
}

/** What became of all bodies. */
export interface IngestResult extends BuiltSnapshot {
  readonly readCount: number;
  readonly quarantined: { readonly count: number; readonly samples: readonly QuarantinedRow[] };
}
