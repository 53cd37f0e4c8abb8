import type { Filter } from '@syncline/contract';
import {
  isTombstone,
  type ReadRow,
  type StoredRow,
  toCatalogRow,
  toTombstone,
} from '@syncline/rows';
import { compileFilter } from '@syncline/rows/filter';
import type { BuiltSnapshot } from '../build.ts';
import type { Manifest } from '../encoding/manifest.ts';
import type { Blob } from '../store.ts';
import { ALL_KEYS, changedRanges, chunkRanges, joinRanges, type KeyRange } from './key-ranges.ts';
import { type PatchTarget, patch, readRows } from './patch.ts';

/** A member of the catalog. */
export interface MergeMember {
  readonly registry: string;
  readonly manifest: Manifest;
  /** The member's manifest at the last build of the catalog, or `undefined` if it is unknown. */
  readonly before: Manifest | undefined;
}

export interface MergeOptions extends PatchTarget {
  /** The members in order of precedence. */
  readonly members: readonly MergeMember[];
  readonly filter: Filter;
  /** The digest of the filter, for the manifest. */
  readonly filterHash?: string | undefined;
  /** Reads chunks of the named registry, or of the catalog itself without a name. Calls never overlap. */
  readonly readChunks: (digests: readonly string[], registry?: string) => Promise<Blob[]>;
}

/** How long a catalog keeps tombstones: the longest time for which a client may read only the changes. */
export const TOMBSTONE_RETENTION_MS = 90 * 86_400_000;

/**
 * Builds the snapshot of a catalog from the snapshots of its members. The first member with a name provides its rows. A
 * row that the catalog loses stays as a tombstone.
 */
export function mergeCatalog(options: MergeOptions): Promise<BuiltSnapshot> {
  const { members, filter, filterHash, ...target } = options;
  const passes = compileFilter(filter);
  return patch<StoredRow>({
    ...target,
    ranges: rangesToMerge(options),
    streams: (range) =>
      members.map(({ registry, manifest }) =>
        readRows(chunkRanges(manifest), {
          range,
          readChunks: (digests) => target.readChunks(digests, registry),
        }),
      ),
    rowsOf: (last, groups) => {
      const owner = groups.findIndex((group) => group.length > 0);
      const { registry = '' } = members[owner] ?? {};
      const current = (groups[owner] ?? [])
        .filter(({ value }) => passes(value.server))
        .map((row) => toCatalogRow(row, registry));
      const rows = [...current, ...tombstones(last, { current, nowMs: target.nowMs })];
      return rows.sort((one, other) => (one.key < other.key ? -1 : 1));
    },
    // The patch itself reads only the catalog's own chunks.
    readChunks: (digests) => target.readChunks(digests),
    totals: {
      skillCount: 0,
      pluginCount: 0,
      ...(filterHash === undefined ? {} : { origin: { filterHash } }),
    },
  });
}

function rangesToMerge({ members, builder }: MergeOptions): KeyRange[] {
  if (builder.previous === undefined) return [ALL_KEYS];
  const ranges: KeyRange[] = [];
  for (const { before, manifest } of members) {
    if (before === undefined) return [ALL_KEYS];
    ranges.push(...changedRanges(before, manifest));
  }
  return joinRanges(ranges);
}

function tombstones(
  rows: readonly StoredRow[],
  { current, nowMs }: { current: readonly ReadRow[]; nowMs: number },
): ReadRow[] {
  const keys = new Set(current.map(({ key }) => key));
  const isOver = (row: StoredRow) =>
    isTombstone(row) && nowMs - row.updatedAtMs > TOMBSTONE_RETENTION_MS;
  return rows.filter((row) => !keys.has(row.key) && !isOver(row)).map(toTombstone);
}
