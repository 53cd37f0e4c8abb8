/**
 * Where a sorted list of rows is cut. A cut depends on the key of the row before it and on how far the
 * last cut is away, so that a row that comes or goes moves the cuts around it and no others.
 */
export const LEAST_ROWS = 32;
export const MOST_ROWS = 128;
/** One key in this many is a cut; with {@link LEAST_ROWS} before it, chunks have 64 rows on average. */
const CUT_ONE_IN = 32;

/**
 * Where `keys` are cut: each chunk runs from the cut before it up to, and without, its own; what comes
 * after the last cut goes on with the keys that follow. A pure function of the keys, so that every worker
 * cuts the same rows the same way.
 */
export function chunkCuts(keys: readonly string[]): number[] {
  const cuts: number[] = [];
  let start = 0;
  for (const [index, key] of keys.entries()) {
    const length = index + 1 - start;
    if (length < LEAST_ROWS) continue;
    if (length < MOST_ROWS && fnv1a(key) % CUT_ONE_IN !== 0) continue;
    start = index + 1;
    cuts.push(start);
  }
  return cuts;
}

/** FNV-1a, 32 bits, over the low byte of each character. @see RFC 9923 */
export function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ (text.charCodeAt(index) & 0xff), 0x01000193);
  }
  return hash >>> 0;
}
