import { fnv1a } from '@syncline/contract';
import { describe, expect, test } from 'vitest';
import { ChunkCutter, LARGE_BYTES, LEAST_ROWS, MOST_BYTES, MOST_ROWS } from './chunk-cutter.ts';

function keys(count: number): string[] {
  return Array.from(
    { length: count },
    (_, index) => `io.github.acme/server-${index}\u00001.0.0`,
  ).sort();
}

const KIB = 1024;

/** Every chunk's end: the cuts, and the end of all keys. */
function chunkEnds(all: readonly string[], rowBytes = KIB): number[] {
  const cutter = new ChunkCutter();
  const cuts = all.flatMap((key, index) => (cutter.add(key, rowBytes) ? [index + 1] : []));
  return (cuts.at(-1) ?? 0) < all.length ? [...cuts, all.length] : cuts;
}

/** The chunks that `keys` are cut into, each as one text. */
function chunks(all: readonly string[], rowBytes = KIB): string[] {
  let start = 0;
  return chunkEnds(all, rowBytes).map((end) => {
    const chunk = all.slice(start, end).join();
    start = end;
    return chunk;
  });
}

describe('ChunkCutter', () => {
  test.each([0, 1, 31, 32, 33, 128, 129, 3_000])(
    'the chunks of %i keys contain all keys, within the size limits',
    (count) => {
      const all = keys(count);
      const ends = chunkEnds(all);
      expect(ends.at(-1) ?? 0).toBe(count);
      const sizes = ends.map((end, index) => end - (ends[index - 1] ?? 0));
      expect(Math.max(0, ...sizes)).toBeLessThanOrEqual(MOST_ROWS);
      expect(Math.min(LEAST_ROWS, ...sizes.slice(0, -1))).toBe(LEAST_ROWS);
    },
  );

  test('cuts the same keys the same way', () => {
    expect(chunkEnds(keys(3_000))).toEqual(chunkEnds(keys(3_000)));
  });

  test('chunks have 64 rows on average', () => {
    const average = 20_000 / chunkEnds(keys(20_000)).length;
    expect(average).toBeGreaterThan(50);
    expect(average).toBeLessThan(75);
  });

  test.each(
    [1, 20, 60, 250].flatMap((rowKib) =>
      [0, 7, 1_000, 1_999, 2_999].map((at) => [rowKib, at] as const),
    ),
  )(
    'with rows of %i KiB, adding or removing key %i of 3,000 changes few chunks',
    (rowKib, place) => {
      const all = keys(3_000);
      const before = new Set(chunks(all, rowKib * KIB));
      const changed = (keysAfter: readonly string[]) =>
        chunks(keysAfter, rowKib * KIB).filter((chunk) => !before.has(chunk));
      // Of the largest rows, a chunk has about seven, so that its cuts align later.
      const most = rowKib === 250 ? 32 : 8;
      expect(changed(all.toSpliced(place, 1)).length).toBeLessThanOrEqual(most);
      const added = changed(all.toSpliced(place, 0, `${all[place]}-new`));
      expect(added.length).toBeLessThanOrEqual(most);
    },
  );

  test.each([60, 250])('with rows of %i KiB, chunks have 1 to 2 MiB', (rowKib) => {
    const ends = chunkEnds(keys(3_000), rowKib * KIB);
    const sizes = ends.map((end, index) => (end - (ends[index - 1] ?? 0)) * rowKib * KIB);
    expect(Math.max(...sizes)).toBeLessThan(MOST_BYTES + rowKib * KIB);
    expect(Math.min(...sizes.slice(0, -1))).toBeGreaterThanOrEqual(LARGE_BYTES);
  });

  test('rows of up to 8 KiB are cut by their keys only', () => {
    const all = keys(3_000);
    expect(chunkEnds(all, LARGE_BYTES / MOST_ROWS - 1)).toEqual(chunkEnds(all));
  });

  test('cuts at the largest size if no key has a hash that marks a cut', () => {
    const unlucky = keys(20_000)
      .filter((key) => fnv1a(key) % 32 !== 0)
      .slice(0, 1_000);
    const ends = chunkEnds(unlucky);
    expect(ends[0]).toBe(MOST_ROWS);
    expect(ends).toHaveLength(Math.ceil(1_000 / MOST_ROWS));
  });
});

test('fnv1a gives the published values', () => {
  expect(fnv1a('')).toBe(0x811c9dc5);
  expect(fnv1a('a')).toBe(0xe40c292c);
  expect(fnv1a('foobar')).toBe(0xbf9cf968);
});
