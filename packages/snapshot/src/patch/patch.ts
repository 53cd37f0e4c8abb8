/**
 * Builds a snapshot from the one before it by reading only the keys that may have changed. Everything else is taken over
 * chunk by chunk. Catalogs, filtered views and deltas are all built this way. They differ in the ranges that they read,
 * and in the rows that they give to a name.
 */
import { batchesOf } from '@syncline/contract';
import { byName, type ReadRow, type StoredRow } from '@syncline/rows';
import {
  type BuiltSnapshot,
  type FinishOptions,
  NameCounter,
  type ReadChunks,
  type SnapshotBuilder,
} from '../build.ts';
import { decodeRows } from '../encoding/chunk.ts';
import { EMPTY_MANIFEST } from '../encoding/manifest.ts';
import type { Blob } from '../store.ts';
import {
  byStart,
  type ChunkRange,
  chunkRanges,
  gapsBetween,
  includes,
  isIn,
  type KeyRange,
  overlaps,
} from './key-ranges.ts';

/** What every patch needs. */
export interface PatchTarget {
  /** Made for the snapshot to patch, if there is one. */
  readonly builder: SnapshotBuilder;
  /** Epoch milliseconds by the store's clock. */
  readonly nowMs: number;
  /** Reads all chunks that the patch needs. Never called twice at once. */
  readonly readChunks: ReadChunks;
}

export interface PatchOptions<Row extends { readonly key: string }> extends PatchTarget {
  /** The keys to read, as `joinRanges` returns them. All keys if there is no snapshot to patch. */
  readonly ranges: readonly KeyRange[];
  /** The streams from which a range is built. */
  readonly streams: (
    range: KeyRange,
  ) => readonly (AsyncIterable<readonly Row[]> | Iterable<readonly Row[]>)[];
  /**
   * Returns the new rows of a name, sorted by key.
   *
   * @param last its rows in the snapshot to patch
   * @param groups its rows in each stream
   */
  readonly rowsOf: (
    last: readonly StoredRow[],
    groups: readonly (readonly Row[])[],
  ) => readonly ReadRow[];
  /** What the manifest says of the snapshot. Default of `sourceRowCount`: all rows. */
  readonly totals: Pick<FinishOptions, 'skillCount' | 'pluginCount' | 'attachments' | 'origin'> &
    Partial<Pick<FinishOptions, 'sourceRowCount'>>;
}

export async function patch<Row extends { readonly key: string }>({
  builder,
  nowMs,
  ranges,
  streams,
  rowsOf,
  totals,
  ...options
}: PatchOptions<Row>): Promise<BuiltSnapshot> {
  const { previous = EMPTY_MANIFEST } = builder;
  const readChunks = keepingBlobs(options.readChunks);
  const pieces = chunkRanges(previous);
  const replaced = new NameCounter();
  const gaps = new Set(gapsBetween(ranges));
  for (const range of [...ranges, ...gaps].sort(byStart)) {
    const context = { range, readChunks };
    if (gaps.has(range)) {
      await takeOver(pieces, context, { builder, replaced });
      continue;
    }
    for await (const [last, ...groups] of byName([readRows(pieces, context), ...streams(range)])) {
      replaced.add(last);
      builder.push(rowsOf(last, groups));
    }
  }
  return builder.finish({
    sourceRowCount: builder.rowCount,
    ...totals,
    nowMs,
    keptServerCount: previous.serverCount - replaced.count,
    readChunks,
  });
}

/** What the rows of a range are read with. */
interface ReadContext {
  readonly range: KeyRange;
  readonly readChunks: ReadChunks;
}

/** Takes over a range that has not changed. Only chunks whose cuts move are read. */
async function takeOver(
  pieces: readonly ChunkRange[],
  context: ReadContext,
  { builder, replaced }: { builder: SnapshotBuilder; replaced: NameCounter },
): Promise<void> {
  for (const piece of pieces) {
    if (!overlaps(piece, context.range)) continue;
    if (builder.isAtCut && includes(context.range, piece)) {
      builder.keep(piece.chunk);
      continue;
    }
    for await (const rows of readRows([piece], context)) {
      replaced.add(rows);
      builder.pushMarked(
        rows.map(({ key, value, isLatest }) => ({ key, json: JSON.stringify(value), isLatest })),
      );
    }
  }
}

/** How many chunks are read at once: few enough for the memory, enough not to wait for each. */
const CHUNKS_AT_ONCE = 32;

/** Reads the rows of a range, in order. */
export async function* readRows(
  pieces: readonly ChunkRange[],
  { range, readChunks }: ReadContext,
): AsyncGenerator<readonly StoredRow[]> {
  const wanted = pieces.filter((piece) => overlaps(piece, range));
  for (const batch of batchesOf(wanted, CHUNKS_AT_ONCE)) {
    const blobs = await readChunks(batch.map(({ chunk }) => chunk.digest));
    for (const [index, { chunk }] of batch.entries()) {
      const blob = blobs[index];
      if (blob === undefined) continue;
      yield decodeRows(blob, chunk).filter(({ key }) => isIn(range, key));
    }
  }
}

/** Keeps blobs that were read: the builder reads those that it replaces, too. */
function keepingBlobs(read: ReadChunks): ReadChunks {
  const known = new Map<string, Blob>();
  return async (digests) => {
    const missing = digests.filter((digest) => !known.has(digest));
    if (missing.length > 0) for (const blob of await read(missing)) known.set(blob.digest, blob);
    return digests.flatMap((digest) => known.get(digest) ?? []);
  };
}
