import type { Filter } from '@syncline/contract';
import { compileFilter, type FilterPredicate } from '@syncline/rows/filter';
import { type BuiltSnapshot, type DraftRow, latestFlags, type SnapshotBuilder } from '../build.ts';
import type { Manifest } from '../encoding/manifest.ts';
import type { DecodedRow } from '../encoding/stored-row.ts';
import type { Blob } from '../store.ts';
import { ALL_KEYS, changedRanges, joinRanges, type KeyRange } from './key-ranges.ts';
import { patch } from './patch.ts';
import { type CatalogRow, fromRegistry, isTombstone, tombstoneOf } from './row-forms.ts';
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
  /** As the manifest is to say by which filter its rows were kept. */
  readonly filterHash?: string | undefined;
  /** Epoch milliseconds by the store's clock. */
  readonly nowMs: number;
  /** Chunks of a registry; of the catalog itself where none is named. Never called twice at once. */
  readonly readChunks: (digests: readonly string[], registry?: string) => Promise<Blob[]>;
}

/** A tombstone is kept for as long as someone may follow the catalog's changes without a look at it all. */
export const TOMBSTONE_RETENTION_MS = 90 * 86_400_000;

/**
 * Builds the snapshot of a catalog from those of its registries. A name belongs to the first registry that has it;
 * what the catalog had and has no longer stays as a tombstone.
 */
export function mergeCatalog(options: MergeOptions): Promise<BuiltSnapshot> {
  const { members, previous, builder, filter, filterHash, nowMs, readChunks } = options;
  const passes = compileFilter(filter);
  return patch<DecodedRow>({
    previous,
    builder,
    ranges: rangesToMerge(options),
    streams: (range) =>
      members.map(({ registry, manifest }) => {
        const read: ReadChunks = (digests) => readChunks(digests, registry);
        return nameGroups(new SnapshotRows(manifest, read).rowsIn(range));
      }),
    rowsOf: ({ groups, last }) => {
      const owner = groups.findIndex((group) => group !== undefined);
      const registry = members[owner]?.registry;
      const rows = groups[owner] ?? [];
      const current = registry === undefined ? [] : ownedRows(rows, registry, passes);
      return drafts([...current, ...tombstones(last, { current, nowMs })]);
    },
    readChunks: (digests) => readChunks(digests),
    finish: (totals) =>
      builder.finish({
        ...totals,
        nowMs,
        skillCount: 0,
        pluginCount: 0,
        ...(filterHash === undefined ? {} : { origin: { filterHash } }),
      }),
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
