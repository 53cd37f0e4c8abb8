/**
 * Builds the snapshot of a catalog from those of its registries. A name belongs to the first registry that
 * has it; what the catalog had and has no longer stays as a tombstone. Only names that may have changed are
 * looked at: everything else is taken over from the catalog's own snapshot, chunk by chunk.
 */
import type { Filter } from '@syncline/contract';
import { compileFilter, type FilterPredicate, nameOfKey } from '@syncline/rows';
import { type BuiltSnapshot, type DraftRow, latestFlags, type SnapshotBuilder } from '../build.ts';
import type { Manifest } from '../manifest.ts';
import type { Blob } from '../store.ts';
import type { DecodedRow } from '../stored-row.ts';
import { type CatalogRow, fromRegistry, isTombstone, tombstoneOf } from './catalog-row.ts';
import {
  ALL_KEYS,
  changedRanges,
  chunkRanges,
  gapsBetween,
  includes,
  joinRanges,
  type KeyRange,
  overlaps,
} from './key-ranges.ts';
import { nameGroups, type ReadChunks, SnapshotRows } from './snapshot-rows.ts';

/** A registry of the catalog. */
export interface MergeMember {
  readonly registry: string;
  readonly manifest: Manifest;
  /** What the catalog was built from last; `undefined` where that is not known any more. */
  readonly before: Manifest | undefined;
}

export interface MergeOptions {
  /** In order of precedence. */
  readonly members: readonly MergeMember[];
  /** The catalog's own snapshot; `undefined` for its first one. */
  readonly previous: Manifest | undefined;
  /** Made for the same `previous`. */
  readonly builder: SnapshotBuilder;
  readonly filter: Filter;
  /** Epoch milliseconds by the store's clock. */
  readonly nowMs: number;
  /** Chunks of a registry; of the catalog itself where none is named. Never called twice at once. */
  readonly readChunks: (digests: readonly string[], registry?: string) => Promise<Blob[]>;
}

/** A tombstone is kept for as long as someone may follow the catalog's changes without a look at it all. */
export const TOMBSTONE_RETENTION_MS = 90 * 86_400_000;

const NO_ROWS: Manifest = {
  rowCount: 0,
  sourceRowCount: 0,
  serverCount: 0,
  skillCount: 0,
  pluginCount: 0,
  newestMs: 0,
  chunks: [],
};

export async function mergeCatalog(options: MergeOptions): Promise<BuiltSnapshot> {
  const { previous = NO_ROWS, builder, nowMs } = options;
  const readOwn = keepingBlobs((digests) => options.readChunks(digests));
  const own = new SnapshotRows(previous, readOwn);
  const changed = rangesToMerge(options);
  const replaced = new NameCounter();
  const parts = [
    ...changed.map((range) => ({ range, isChanged: true })),
    ...gapsBetween(changed).map((range) => ({ range, isChanged: false })),
  ].sort((one, other) => (one.range.from < other.range.from ? -1 : 1));
  for (const { range, isChanged } of parts) {
    if (isChanged) await mergeRange(options, { own, range, replaced });
    else await takeOver({ own, previous, range, builder, replaced });
  }
  return builder.finish({
    nowMs,
    sourceRowCount: builder.rowCount,
    skillCount: 0,
    pluginCount: 0,
    keptServerCount: previous.serverCount - replaced.count,
    readChunks: readOwn,
  });
}

function rangesToMerge({ members, previous }: MergeOptions): KeyRange[] {
  if (previous === undefined) return [ALL_KEYS];
  const ranges: KeyRange[] = [];
  for (const { before, manifest } of members) {
    if (before === undefined) return [ALL_KEYS];
    ranges.push(...changedRanges(before, manifest));
  }
  return joinRanges(ranges);
}

/** What no registry has changed stays as it is; chunks that only shift are cut anew. */
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

async function mergeRange(
  { members, builder, filter, nowMs, readChunks }: MergeOptions,
  { own, range, replaced }: { own: SnapshotRows; range: KeyRange; replaced: NameCounter },
): Promise<void> {
  const passes = compileFilter(filter);
  const streams = members.map(({ registry, manifest }) => {
    const read: ReadChunks = (digests) => readChunks(digests, registry);
    return nameGroups(new SnapshotRows(manifest, read).rowsIn(range));
  });
  for await (const { groups, last } of inStep([...streams, nameGroups(own.rowsIn(range))])) {
    const owner = groups.findIndex((group) => group !== undefined);
    const registry = members[owner]?.registry;
    const current = registry === undefined ? [] : ownedRows(groups[owner] ?? [], registry, passes);
    replaced.add(last ?? []);
    builder.pushDrafts(drafts([...current, ...tombstones(last ?? [], { current, nowMs })]));
  }
}

function ownedRows(
  rows: readonly DecodedRow[],
  registry: string,
  passes: FilterPredicate,
): CatalogRow[] {
  return rows.map((row) => fromRegistry(row, registry)).filter(({ value }) => passes(value.server));
}

function tombstones(
  rows: readonly DecodedRow[],
  { current, nowMs }: { current: readonly CatalogRow[]; nowMs: number },
): CatalogRow[] {
  const keys = new Set(current.map(({ key }) => key));
  const isOver = (row: DecodedRow) =>
    isTombstone(row) && nowMs - row.updatedAtMs > TOMBSTONE_RETENTION_MS;
  return rows.filter((row) => !keys.has(row.key) && !isOver(row)).map(tombstoneOf);
}

function drafts(rows: readonly CatalogRow[]): DraftRow[] {
  const sorted = rows.toSorted((one, other) => (one.key < other.key ? -1 : 1));
  const latest = latestFlags(sorted);
  return sorted.map(({ key, value }, index) => ({
    key,
    json: JSON.stringify(value),
    isLatest: latest[index] === true,
  }));
}

/** One name, as each stream has it; `last` of the last stream, the others in `groups`. */
interface Step {
  readonly groups: readonly (readonly DecodedRow[] | undefined)[];
  readonly last: readonly DecodedRow[] | undefined;
}

/** Walks sorted streams of names together, one name at a time. */
async function* inStep(
  streams: readonly AsyncIterator<readonly DecodedRow[]>[],
): AsyncGenerator<Step> {
  // One after the other: whoever reads for us answers one question at a time.
  const heads: (readonly DecodedRow[] | undefined)[] = [];
  for (const stream of streams) heads.push(await next(stream));
  for (;;) {
    const name = least(heads.map((head) => (head === undefined ? undefined : nameOf(head))));
    if (name === undefined) return;
    const groups: (readonly DecodedRow[] | undefined)[] = [];
    for (const [index, stream] of streams.entries()) {
      const head = heads[index];
      const isHere = head !== undefined && nameOf(head) === name;
      groups.push(isHere ? head : undefined);
      if (isHere) heads[index] = await next(stream);
    }
    const last = groups.pop();
    yield { groups, last };
  }
}

async function next(stream: AsyncIterator<readonly DecodedRow[]>) {
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

function nameOf(group: readonly DecodedRow[]): string {
  return nameOfKey(group[0]?.key ?? '');
}

/** Counts names of rows that come in order. */
class NameCounter {
  count = 0;
  #last: string | undefined;

  add(rows: readonly Pick<DecodedRow, 'key'>[]): void {
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
