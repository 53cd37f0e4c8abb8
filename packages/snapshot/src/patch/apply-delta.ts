import { type ReadRow, type RowKey, sortKey, toReadRow } from '@syncline/rows';
import type { BuiltSnapshot } from '../build.ts';
import { EMPTY_MANIFEST, type Manifest } from '../encoding/manifest.ts';
import {
  ALL_KEYS,
  chunkRanges,
  isIn,
  joinRanges,
  type KeyRange,
  widenToNames,
} from './key-ranges.ts';
import { type PatchTarget, patch } from './patch.ts';

export interface DeltaOptions extends PatchTarget {
  /** New or changed rows, sorted by key. Each key occurs once. */
  readonly upserts: readonly ReadRow[];
  /** Keys of removed rows. If a key is also in `upserts`, the row stays. */
  readonly removals: readonly RowKey[];
}

/** Builds the mirror after a delta. Reads only the chunks that the delta affects. */
export function applyDelta({ upserts, removals, ...target }: DeltaOptions): Promise<BuiltSnapshot> {
  const { previous = EMPTY_MANIFEST } = target.builder;
  const { skillCount, pluginCount, attachments } = previous;
  const removed = new Set(removals.map(sortKey));
  const keys = [...upserts.map(({ key }) => key), ...removed].sort();
  return patch<ReadRow>({
    ...target,
    ranges: rangesOf(previous, keys),
    streams: ({ from, to }) => [[upserts.slice(placeOf(from, upserts), placeOf(to, upserts))]],
    rowsOf: (last, [changed = []]) => {
      const replaced = new Set(changed.map(({ key }) => key)).union(removed);
      const kept = last.filter(({ key }) => !replaced.has(key)).map(toReadRow);
      return [...kept, ...changed].sort((one, other) => (one.key < other.key ? -1 : 1));
    },
    totals: { skillCount, pluginCount, attachments },
  });
}

/** Returns the index of the first row at or after the key. */
function placeOf(key: string, rows: readonly ReadRow[]): number {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((rows[middle]?.key ?? '') < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Returns the ranges of the chunks for the keys. @param keys sorted */
function rangesOf(previous: Manifest, keys: readonly string[]): KeyRange[] {
  const pieces = previous.chunks.length === 0 ? [ALL_KEYS] : chunkRanges(previous);
  let next = 0;
  const touched = pieces.filter((piece) => {
    const first = next;
    while (next < keys.length && isIn(piece, keys[next] ?? '')) next += 1;
    return next > first;
  });
  return joinRanges(touched.map(widenToNames));
}
