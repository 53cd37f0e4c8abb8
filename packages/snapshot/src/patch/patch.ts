/**
 * Builds a snapshot from the previous one. Reads only the keys that may have changed, and reuses all other chunks.
 * Catalogs, filtered views and deltas use this module. They differ in the ranges that they read, and in the rows that
 * they return for a name.
 */
import { byName, type ReadRow, type StoredRow } from '@syncline/rows';
import {
  type BuiltSnapshot,
  type FinishOptions,
  NameCounter,
  type SnapshotBuilder,
} from '../build.ts';
import { EMPTY_MANIFEST } from '../encoding/manifest.ts';
import { decodeInOrder, type ReadChunks } from '../read-chunks.ts';
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

/** The options of every patch. */
export interface PatchTarget {
  /** The builder, with the snapshot to patch as `previous`, if one exists. */
  readonly builder: SnapshotBuilder;
  /** Epoch milliseconds by the store's clock. */
  readonly nowMs: number;
  /** Reads the chunks that the patch needs. Calls never overlap. */
  readonly readChunks: ReadChunks;
}

export interface PatchOptions<Row extends { readonly key: string }> extends PatchTarget {
  /** The key ranges to read, sorted and disjoint. All keys if there is no snapshot to patch. */
  readonly ranges: readonly KeyRange[];
  /** The streams of rows that the patch reads for a range. */
  readonly streams: (
    range: KeyRange,
  ) => readonly (AsyncIterable<readonly Row[]> | Iterable<readonly Row[]>)[];
  /**
   * Returns the new rows of a name, sorted by key.
   *
   * @param last the name's rows in the snapshot to patch
   * @param groups the name's rows in each stream
   */
  readonly rowsOf: (
    last: readonly StoredRow[],
    groups: readonly (readonly Row[])[],
  ) => readonly ReadRow[];
  /** The totals for the manifest. `sourceRowCount` defaults to the number of all rows. */
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

/** The arguments for reading the rows of a range. */
interface ReadContext {
  readonly range: KeyRange;
  readonly readChunks: ReadChunks;
}

/** Reuses the chunks of an unchanged range. Reads only chunks whose cuts move. */
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

/** Reads the rows of a range, in order. */
export async function* readRows(
  pieces: readonly ChunkRange[],
  { range, readChunks }: ReadContext,
): AsyncGenerator<readonly StoredRow[]> {
  const wanted = pieces.filter((piece) => overlaps(piece, range)).map(({ chunk }) => chunk);
  for await (const rows of decodeInOrder(wanted, readChunks)) {
    yield rows.filter(({ key }) => isIn(range, key));
  }
}

/** How many bytes of blobs a patch caches. It reads all others twice. */
const CACHED_BYTES = 16 * 1024 * 1024;

/** Caches the first blobs, because the builder reads the replaced chunks again. */
function keepingBlobs(read: ReadChunks): ReadChunks {
  const known = new Map<string, Blob>();
  let size = 0;
  return async (digests) => {
    const missing = digests.filter((digest) => !known.has(digest));
    const found = new Map<string, Blob>();
    for (const blob of missing.length > 0 ? await read(missing) : []) {
      found.set(blob.digest, blob);
      if (size + blob.bytes.length > CACHED_BYTES) continue;
      size += blob.bytes.length;
      known.set(blob.digest, blob);
    }
    return digests.flatMap((digest) => known.get(digest) ?? found.get(digest) ?? []);
  };
}
