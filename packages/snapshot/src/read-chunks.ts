import type { StoredRow } from '@syncline/rows';
import { decodeRows } from './encoding/chunk.ts';
import type { ManifestChunk } from './encoding/manifest.ts';
import type { Blob } from './store.ts';

/** Returns chunks in the order of `digests`. @throws SynclineError `snapshot-incomplete` */
export type ReadChunks = (digests: readonly string[]) => Promise<Blob[]>;

/** How many chunks one call reads: few enough for the memory, and enough to avoid a round trip per chunk. */
const CHUNKS_AT_ONCE = 32;
/** How many bytes of rows one call reads, unless one chunk is larger. */
const BYTES_AT_ONCE = 16 * 1024 * 1024;

/** Reads chunks, and decodes one at a time. @throws SynclineError `snapshot-incomplete`, `snapshot-corrupt` */
export async function* decodeInOrder(
  chunks: readonly ManifestChunk[],
  readChunks: ReadChunks,
): AsyncGenerator<readonly StoredRow[]> {
  for (const batch of batchesOf(chunks)) {
    const blobs = await readChunks(batch.map(({ digest }) => digest));
    for (const [index, chunk] of batch.entries()) {
      const blob = blobs[index];
      if (blob !== undefined) yield decodeRows(blob, chunk);
    }
  }
}

function* batchesOf(chunks: readonly ManifestChunk[]): Generator<readonly ManifestChunk[]> {
  let batch: ManifestChunk[] = [];
  let total = 0;
  for (const chunk of chunks) {
    const { bytes = 0 } = chunk;
    const isFull = batch.length === CHUNKS_AT_ONCE || total + bytes > BYTES_AT_ONCE;
    if (isFull && batch.length > 0) {
      yield batch;
      batch = [];
      total = 0;
    }
    batch.push(chunk);
    total += bytes;
  }
  if (batch.length > 0) yield batch;
}

/** The rows of a previous snapshot that a new one replaces, in order. */
export class ReplacedRows {
  readonly #chunks: AsyncGenerator<readonly StoredRow[]>;
  readonly #onRemoved: (key: string) => void;
  #rows: readonly StoredRow[] = [];
  #index = 0;

  /** @param onRemoved receives the key of each row that {@link take} has passed */
  constructor(chunks: AsyncGenerator<readonly StoredRow[]>, onRemoved: (key: string) => void) {
    this.#chunks = chunks;
    this.#onRemoved = onRemoved;
  }

  /** Returns the row with the key, if there is one. Keys must be ascending. */
  async take(key: string): Promise<StoredRow | undefined> {
    for (;;) {
      const row = this.#rows[this.#index];
      if (row === undefined) {
        if (!(await this.#nextChunk())) return undefined;
        continue;
      }
      if (row.key > key) return undefined;
      this.#index += 1;
      if (row.key === key) return row;
      this.#onRemoved(row.key);
    }
  }

  /** Passes all remaining rows. */
  async finish(): Promise<void> {
    do {
      for (const { key } of this.#rows.slice(this.#index)) this.#onRemoved(key);
    } while (await this.#nextChunk());
  }

  async #nextChunk(): Promise<boolean> {
    const { done, value } = await this.#chunks.next();
    if (done === true) {
      this.#rows = [];
      this.#index = 0;
      return false;
    }
    this.#rows = value;
    this.#index = 0;
    return true;
  }
}
