/**
 * Builds a snapshot from the one before it by looking only at the keys that may have changed. Everything else is taken
 * over chunk by chunk. Catalogs, filtered views and deltas are all built this way; they differ in which ranges they
 * look at and in what becomes of a name.
 */
import { type IngestedRow, nameOfKey } from '@syncline/rows';
import { type BuiltSnapshot, type DraftRow, latestFlags, type SnapshotBuilder } from '../build.ts';
import type { Manifest } from '../encoding/manifest.ts';
import type { DecodedRow } from '../encoding/stored-row.ts';
import type { Blob } from '../store.ts';
import { chunkRanges, gapsBetween, includes, type KeyRange, overlaps } from './key-ranges.ts';
import { nameGroups, type ReadChunks, SnapshotRows } from './snapshot-rows.ts';

type Keyed = Pick<IngestedRow, 'key'>;

/** One name: its rows in each stream, and in the snapshot before. */
export interface NameStep<Row extends Keyed> {
  readonly groups: readonly (readonly Row[] | undefined)[];
  readonly last: readonly DecodedRow[];
}

export interface PatchOptions<Row extends Keyed> {
  /** The snapshot to patch; `undefined` for the first one. */
  readonly previous: Manifest | undefined;
  /** Made for the same `previous`. */
  readonly builder: SnapshotBuilder;
  /** The keys to look at, as `joinRanges` gives them. Must be all keys if there is no `previous`. */
  readonly ranges: readonly KeyRange[];
  /** What a range is built from, each stream by name. */
  readonly streams: (range: KeyRange) => AsyncIterator<readonly Row[]>[];
  /** The rows that a name is to have, by key. */
  readonly rowsOf: (step: NameStep<Row>) => readonly DraftRow[];
  /** Chunks of the snapshot before. Never called twice at once. */
  readonly readChunks: ReadChunks;
  readonly finish: (
    totals: Pick<
      Parameters<SnapshotBuilder['finish']>[0],
      'sourceRowCount' | 'keptServerCount' | 'readChunks'
    >,
  ) => Promise<BuiltSnapshot>;
}

const NO_ROWS: Manifest = {
  rowCount: 0,
  sourceRowCount: 0,
  serverCount: 0,
  skillCount: 0,
  pluginCount: 0,
  newestMs: 0,
  chunks: [],
};

export async function patch<Row extends Keyed>({
  previous = NO_ROWS,
  ranges,
  ...options
}: PatchOptions<Row>): Promise<BuiltSnapshot> {
  const { builder } = options;
  const readChunks = keepingBlobs(options.readChunks);
  const own = new SnapshotRows(previous, readChunks);
  const replaced = new NameCounter();
  const parts = [
    ...ranges.map((range) => ({ range, isChanged: true })),
    ...gapsBetween(ranges).map((range) => ({ range, isChanged: false })),
  ].sort((one, other) => (one.range.from < other.range.from ? -1 : 1));
  for (const { range, isChanged } of parts) {
    if (isChanged) await rebuild(options, { own, range, replaced });
    else await takeOver({ own, previous, range, builder, replaced });
  }
  return options.finish({
    sourceRowCount: builder.rowCount,
    keptServerCount: previous.serverCount - replaced.count,
    readChunks,
  });
}

/** Marks the latest of each name. @param rows sorted by key */
export function draftsOf(rows: readonly IngestedRow[]): DraftRow[] {
  const latest = latestFlags(rows);
  return rows.map(({ key, json }, index) => ({ key, json, isLatest: latest[index] === true }));
}

/** What nothing has changed stays as it is; chunks that only shift are cut anew. */
async function takeOver({
  own,
  previous,
  range,
  builder,
  replaced,
}: {
  own: SnapshotRows;
  previous: Manifest;
  range: KeyRange;
  builder: SnapshotBuilder;
  replaced: NameCounter;
}): Promise<void> {
  for (const piece of chunkRanges(previous)) {
    if (!overlaps(piece, range)) continue;
    if (builder.isAtCut && includes(range, piece)) {
      builder.keep(piece.chunk);
      continue;
    }
    const rows = await own.rowsOf(piece.chunk, range);
    replaced.add(rows);
    builder.pushDrafts(
      rows.map(({ key, value, isLatest }) => ({ key, json: JSON.stringify(value), isLatest })),
    );
  }
}

async function rebuild<Row extends Keyed>(
  {
    streams,
    rowsOf,
    builder,
  }: Pick<PatchOptions<Row>, 'streams' | 'rowsOf'> & { builder: SnapshotBuilder },
  { own, range, replaced }: { own: SnapshotRows; range: KeyRange; replaced: NameCounter },
): Promise<void> {
  for await (const step of inStep(streams(range), nameGroups(own.rowsIn(range)))) {
    replaced.add(step.last);
    builder.pushDrafts(rowsOf(step));
  }
}

/** Walks sorted streams of names together, one name at a time. */
async function* inStep<Row extends Keyed>(
  streams: readonly AsyncIterator<readonly Row[]>[],
  own: AsyncIterator<readonly DecodedRow[]>,
): AsyncGenerator<NameStep<Row>> {
  // One after the other: whoever reads for us answers one question at a time.
  const heads: (readonly Row[] | undefined)[] = [];
  for (const stream of streams) heads.push(await next(stream));
  let ownHead = await next(own);
  for (;;) {
    const name = least([...heads, ownHead].map(nameOf));
    if (name === undefined) return;
    const groups: (readonly Row[] | undefined)[] = [];
    for (const [index, stream] of streams.entries()) {
      const head = heads[index];
      const isHere = nameOf(head) === name;
      groups.push(isHere ? head : undefined);
      if (isHere) heads[index] = await next(stream);
    }
    const last = nameOf(ownHead) === name ? (ownHead ?? []) : [];
    if (last.length > 0) ownHead = await next(own);
    yield { groups, last };
  }
}

async function next<Row>(stream: AsyncIterator<readonly Row[]>) {
  const { done, value } = await stream.next();
  return done === true ? undefined : value;
}

function least(names: readonly (string | undefined)[]): string | undefined {
  let found: string | undefined;
  for (const name of names) {
    if (name !== undefined && (found === undefined || name < found)) found = name;
  }
  return found;
}

function nameOf(group: readonly Keyed[] | undefined): string | undefined {
  return group === undefined ? undefined : nameOfKey(group[0]?.key ?? '');
}

/** Counts names of rows that come in order. */
class NameCounter {
  count = 0;
  #last: string | undefined;

  add(rows: readonly Keyed[]): void {
    for (const { key } of rows) {
      const name = nameOfKey(key);
      if (name !== this.#last) this.count += 1;
      this.#last = name;
    }
  }
}

/** What was read once is not asked for again: the builder looks at what it replaces, too. */
function keepingBlobs(read: ReadChunks): ReadChunks {
  const known = new Map<string, Blob>();
  return async (digests) => {
    const missing = digests.filter((digest) => !known.has(digest));
    if (missing.length > 0) for (const blob of await read(missing)) known.set(blob.digest, blob);
    return digests.flatMap((digest) => known.get(digest) ?? []);
  };
}
