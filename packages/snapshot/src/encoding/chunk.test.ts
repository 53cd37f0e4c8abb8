import { fnv1a } from '@syncline/contract';
import { describe, expect, test } from 'vitest';
import { chunkCuts, LEAST_ROWS, MOST_ROWS } from './chunk.ts';

function keys(count: number): string[] {
  return Array.from(
    { length: count },
    (_, index) => `io.github.acme/server-${index}\u00001.0.0`,
  ).sort();
}

/** Every chunk's end: the cuts, and the end of all keys. */
function chunkEnds(all: readonly string[]): number[] {
  const cuts = chunkCuts(all);
  return (cuts.at(-1) ?? 0) < all.length ? [...cuts, all.length] : cuts;
}

/** The chunks that `keys` are cut into, each as one text. */
function chunks(all: readonly string[]): string[] {
  let start = 0;
  return chunkEnds(all).map((end) => {
    const chunk = all.slice(start, end).join();
    start = end;
    return chunk;
  });
}

describe('chunkCuts', () => {
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

  test.each([0, 7, 1_000, 1_999, 2_999])(
    'adding or removing key %i of 3,000 changes few chunks',
    (place) => {
      const all = keys(3_000);
      const before = new Set(chunks(all));
      const without = chunks(all.toSpliced(place, 1)).filter((chunk) => !before.has(chunk));
      expect(without.length).toBeLessThanOrEqual(5);
      const added = chunks(all.toSpliced(place, 0, `${all[place]}-new`)).filter(
        (chunk) => !before.has(chunk),
      );
      expect(added.length).toBeLessThanOrEqual(5);
    },
  );

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
