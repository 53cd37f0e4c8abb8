import { nameOfKey } from '@syncline/rows';
import type { Manifest, ManifestChunk } from '../encoding/manifest.ts';

/** Sort keys from `from` up to, but not including, `to`. Contains whole names only. */
export interface KeyRange {
  readonly from: string;
  readonly to: string;
}

/** After all keys, whose characters are bytes. */
const END = '\uffff';
export const ALL_KEYS: KeyRange = { from: '', to: END };

/** A chunk and the keys that belong in it: up to the next chunk. */
export interface ChunkRange extends KeyRange {
  readonly chunk: ManifestChunk;
}

/** Returns the range of each chunk. Keys before the first chunk belong to it, too. */
export function chunkRanges({ chunks }: Manifest): ChunkRange[] {
  return chunks.map((chunk, index) => ({
    chunk,
    from: index === 0 ? '' : chunk.firstKey,
    to: chunks[index + 1]?.firstKey ?? END,
  }));
}

/** Returns the names whose rows may differ between two states of a registry, in order, without overlaps. */
export function changedRanges(before: Manifest, after: Manifest): KeyRange[] {
  return joinRanges([...rangesOnlyIn(before, after), ...rangesOnlyIn(after, before)]);
}

function rangesOnlyIn(one: Manifest, other: Manifest): KeyRange[] {
  // The same bytes at another time are other rows: rows without a time of their own have the chunk's.
  const mark = ({ digest, newestMs }: ManifestChunk) => `${digest}:${newestMs}`;
  const known = new Set(other.chunks.map(mark));
  return chunkRanges(one)
    .filter(({ chunk }) => !known.has(mark(chunk)))
    .map(widenToNames);
}

/** Widens a range to whole names: the versions of a name may be in several chunks. */
export function widenToNames({ from, to }: KeyRange): KeyRange {
  return {
    from: from === '' ? '' : `${nameOfKey(from)}\0`,
    // After all versions of the name, and before every other name: names have no control characters.
    to: to === END ? END : `${nameOfKey(to)}\u0001`,
  };
}

/** Returns the same keys, in order, each once. */
export function joinRanges(ranges: readonly KeyRange[]): KeyRange[] {
  const joined: KeyRange[] = [];
  for (const range of ranges.toSorted(byStart)) {
    const last = joined.at(-1);
    if (last === undefined || last.to < range.from) joined.push(range);
    else if (last.to < range.to) joined.splice(-1, 1, { from: last.from, to: range.to });
  }
  return joined;
}

/** Returns the keys outside of `ranges`, which are as {@link joinRanges} returns them. */
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

/** Whether all of `inner` is in `outer`. */
export function includes(outer: KeyRange, inner: KeyRange): boolean {
  return outer.from <= inner.from && inner.to <= outer.to;
}

export function isIn({ from, to }: KeyRange, key: string): boolean {
  return from <= key && key < to;
}
