import { fnv1a } from '@syncline/contract';

const MIB = 1024 * 1024;

/** The smallest number of rows in a chunk, except for the last chunk and for chunks of large rows. */
export const LEAST_ROWS = 32;
export const MOST_ROWS = 128;
/** One key in this many ends a chunk. After {@link LEAST_ROWS}, this makes 64 rows on average. */
const CUT_ONE_IN = 32;

/** A chunk of this size ends soon, even if it has few rows. Chunks of real registries are smaller. */
export const LARGE_BYTES = MIB;
/** A chunk of this size ends at once. */
export const MOST_BYTES = 2 * MIB;
/** One key in this many ends a large chunk. Large rows are few, so that the cuts must align within few rows. */
const CUT_LARGE_ONE_IN = 4;

/**
 * Decides where chunks of sorted rows end. A cut depends only on the key before the cut, and on the number and size of
 * the rows since the last cut. An added or removed row therefore moves only nearby cuts, and every worker cuts the same
 * rows the same way.
 */
export class ChunkCutter {
  #rows = 0;
  #bytes = 0;

  /** Adds the next row. Returns whether the chunk ends after it. @param bytes the size of the row's JSON in UTF-8 */
  add(key: string, bytes: number): boolean {
    this.#rows += 1;
    this.#bytes += bytes;
    if (!this.#endsAfter(key)) return false;
    this.#rows = 0;
    this.#bytes = 0;
    return true;
  }

  #endsAfter(key: string): boolean {
    if (this.#rows >= MOST_ROWS || this.#bytes >= MOST_BYTES) return true;
    if (this.#bytes >= LARGE_BYTES) return fnv1a(key) % CUT_LARGE_ONE_IN === 0;
    return this.#rows >= LEAST_ROWS && fnv1a(key) % CUT_ONE_IN === 0;
  }
}
