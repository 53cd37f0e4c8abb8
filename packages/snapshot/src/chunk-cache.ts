import type { ServedRow } from '@syncline/rows';

/** A row of a chunk, with its sort key. */
export interface Entry {
  readonly key: string;
  readonly row: ServedRow;
}

/** Caches the most recently used chunks, up to a number of rows. */
export class ChunkCache {
  readonly #maxRows: number;
  readonly #chunks = new Map<string, readonly Entry[]>();
  #rows = 0;

  constructor(maxRows: number) {
    this.#maxRows = maxRows;
  }

  get(key: string): readonly Entry[] | undefined {
    const entries = this.#chunks.get(key);
    if (entries === undefined) return undefined;
    this.#chunks.delete(key);
    this.#chunks.set(key, entries);
    return entries;
  }

  set(key: string, entries: readonly Entry[]): void {
    // Two concurrent readers may set the same chunk. The cache must count its rows only once.
    this.drop(key);
    this.#chunks.set(key, entries);
    this.#rows += entries.length;
    for (const oldest of this.#chunks.keys()) {
      if (this.#rows <= this.#maxRows || oldest === key) break;
      this.drop(oldest);
    }
  }

  drop(key: string): void {
    this.#rows -= this.#chunks.get(key)?.length ?? 0;
    this.#chunks.delete(key);
  }
}
