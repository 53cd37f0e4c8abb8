import { nameOfKey } from '@syncline/rows';
import type { Manifest, ManifestChunk } from '../encoding/manifest.ts';

/** Sort keys from `from` up to, and without, `to`; `undefined` for no end. Holds whole names only. */
export interface KeyRange {
  readonly from: string;
  readonly to: string | undefined;
}

export const ALL_KEYS: KeyRange = { from: '', to: undefined };

/** A chunk and the keys that belong in it: up to where the next one begins. */
export interface ChunkRange extends KeyRange {
  readonly chunk: ManifestChunk;
}

/** The first chunk holds whatever comes before its first key, too. */
export function chunkRanges({ chunks }: Manifest): ChunkRange[] {
  return chunks.map((chunk, index) => ({
    chunk,
    from: index === 0 ? '' : chunk.firstKey,
    to: chunks[index + 1]?.firstKey,
  }));
}

/** The names whose rows may differ between two states of a registry, in order, without overlaps. */
export function changedRanges(before: Manifest, after: Manifest): KeyRange[] {
  return joinRanges([...rangesOnlyIn(before, after), ...rangesOnlyIn(after, before)]);
}

function rangesOnlyIn(one: Manifest, other: Manifest): KeyRange[] {
  // The same bytes under another time are other rows: what has no time of its own has the chunk's.
  const mark = ({ digest, newestMs }: ManifestChunk) => `${digest}:${newestMs}`;
  const known = new Set(other.chunks.map(mark));
  return chunkRanges(one)
    .filter(({ chunk }) => !known.has(mark(chunk)))
    .map(widenToNames);
}

/** A name's versions may lie in several chunks. */
export function widenToNames({ from, to }: KeyRange): KeyRange {
  return {
    from: from === '' ? '' : `${nameOfKey(from)}\0`,
    // After all versions of the name: no other name sorts in between, since none has a control character.
    to: to === undefined ? undefined : `${nameOfKey(to)}\u0001`,
  };
}

/** The same keys, in order, each once. */
export function joinRanges(ranges: readonly KeyRange[]): KeyRange[] {
  const joined: KeyRange[] = [];
  for (const range of ranges.toSorted((one, other) => (one.from < other.from ? -1 : 1))) {
    const last = joined.at(-1);
    if (last === undefined || (last.to !== undefined && last.to < range.from)) joined.push(range);
    else joined[joined.length - 1] = { from: last.from, to: later(last.to, range.to) };
  }
  return joined;
}

/** What lies between `ranges`, and before and after them. `ranges` are as {@link joinRanges} gives them. */
export function gapsBetween(ranges: readonly KeyRange[]): KeyRange[] {
  const gaps: KeyRange[] = [];
  let from: string | undefined = '';
  for (const range of ranges) {
    if (from !== undefined && from < range.from) gaps.push({ from, to: range.from });
    from = range.to;
  }
  if (from !== undefined) gaps.push({ from, to: undefined });
  return gaps;
}

export function overlaps(one: KeyRange, other: KeyRange): boolean {
  return (
    (one.to === undefined || other.from < one.to) && (other.to === undefined || one.from < other.to)
  );
}

/** Whether all of `inner` lies in `outer`. */
export function includes(outer: KeyRange, inner: KeyRange): boolean {
  return outer.from <= inner.from && (outer.to === undefined || isUpTo(inner.to, outer.to));
}

function isUpTo(end: string | undefined, limit: string): boolean {
  return end !== undefined && end <= limit;
}

export function isIn({ from, to }: KeyRange, key: string): boolean {
  return from <= key && (to === undefined || key < to);
}

function later(one: string | undefined, other: string | undefined): string | undefined {
  if (one === undefined || other === undefined) return undefined;
  return one > other ? one : other;
}
