import { nameOfKey } from '@syncline/rows';
import type { Manifest, ManifestChunk } from '../encoding/manifest.ts';

/** Sort keys from `from` up to, but not including, `to`. A range contains all versions of its names. */
export interface KeyRange {
  readonly from: string;
  readonly to: string;
}

/** Sorts after all keys, because the characters of keys are bytes. */
const END = '\uffff';
export const ALL_KEYS: KeyRange = { from: '', to: END };

/** A chunk and its key range, which ends at the next chunk. */
export interface ChunkRange extends KeyRange {
  readonly chunk: ManifestChunk;
}

/** Returns the range of each chunk. The range of the first chunk also includes all smaller keys. */
export function chunkRanges({ chunks }: Manifest): ChunkRange[] {
  return chunks.map((chunk, index) => ({
    chunk,
    from: index === 0 ? '' : chunk.firstKey,
    to: chunks[index + 1]?.firstKey ?? END,
  }));
}

/** Returns sorted, disjoint ranges of the names whose rows may differ between two snapshots of a registry. */
export function changedRanges(before: Manifest, after: Manifest): KeyRange[] {
  return joinRanges([...rangesOnlyIn(before, after), ...rangesOnlyIn(after, before)]);
}

function rangesOnlyIn(one: Manifest, other: Manifest): KeyRange[] {
  // Equal bytes with another chunk time are other rows, because rows without their own time use the chunk's.
  const mark = ({ digest, newestMs }: ManifestChunk) => `${digest}:${newestMs}`;
  const known = new Set(other.chunks.map(mark));
  return chunkRanges(one)
    .filter(({ chunk }) => !known.has(mark(chunk)))
    .map(widenToNames);
}

/** Widens a range to whole names, because the versions of a name may be in several chunks. */
export function widenToNames({ from, to }: KeyRange): KeyRange {
  return {
    from: from === '' ? '' : `${nameOfKey(from)}\0`,
    // Sorts after all versions of the name, and before all other names, which have no control characters.
    to: to === END ? END : `${nameOfKey(to)}\u0001`,
  };
}

/** Returns sorted, disjoint ranges with the same keys. */
export function joinRanges(ranges: readonly KeyRange[]): KeyRange[] {
  const joined: KeyRange[] = [];
  for (const range of ranges.toSorted(byStart)) {
    const last = joined.at(-1);
    if (last === undefined || last.to < range.from) joined.push(range);
    else if (last.to < range.to) joined.splice(-1, 1, { from: last.from, to: range.to });
  }
  return joined;
}

/** Returns the ranges outside of `ranges`. @param ranges sorted and disjoint, as {@link joinRanges} returns them */
export function gapsBetween(ranges: readonly KeyRange[]): KeyRange[] {
  const starts = ['', ...ranges.map(({ to }) => to)];
  const ends = [...ranges.map(({ from }) => from), END];
  return starts
    .map((from, index) => ({ from, to: ends[index] ?? END }))
    .filter(({ from, to }) => from < to);
}

export function byStart(one: KeyRange, other: KeyRange): number {
  return one.from < other.from ? -1 : 1;
}

export function overlaps(one: KeyRange, other: KeyRange): boolean {
  return other.from < one.to && one.from < other.to;
}

/** Returns whether `outer` contains all of `inner`. */
export function includes(outer: KeyRange, inner: KeyRange): boolean {
  return outer.from <= inner.from && inner.to <= outer.to;
}

export function isIn({ from, to }: KeyRange, key: string): boolean {
  return from <= key && key < to;
}
