import type { ServedRow } from '@syncline/rows';

/** The rows of a chunk, sorted by key. */
export interface DecodedChunk {
  /** The sort key of each row. */
  readonly keys: readonly string[];
  readonly rows: readonly ServedRow[];
  /** An estimate of the memory that the rows take. */
  readonly bytes: number;
}

/**
 * Why rows are read. A `page` reads few chunks, and readers often want the same ones again. A `scan` reads many chunks
 * once, so it must not push out the chunks of others.
 */
export type ReadPurpose = 'page' | 'scan';

export interface ChunkCacheOptions {
  /** The limit for the sum of {@link DecodedChunk.bytes}. */
  readonly maxBytes: number;
  /** Milliseconds on a monotonic clock. */
  readonly nowMs: () => number;
}

/** A scan may push out chunks that nobody has read for this time. */
const IDLE_MS = 60_000;

/** Caches the most recently used chunks, up to a number of bytes. */
export class ChunkCache {
  readonly #maxBytes: number;
  readonly #nowMs: () => number;
  /** The least recently used chunk comes first. */
  readonly #chunks = new Map<string, { chunk: DecodedChunk; usedAtMs: number }>();
  #bytes = 0;

  constructor({ maxBytes, nowMs }: ChunkCacheOptions) {
    this.#maxBytes = maxBytes;
    this.#nowMs = nowMs;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get(key: string): DecodedChunk | undefined {
    const cached = this.#chunks.get(key);
    if (cached === undefined) return undefined;
    this.#chunks.delete(key);
    this.#chunks.set(key, { chunk: cached.chunk, usedAtMs: this.#nowMs() });
    return cached.chunk;
  }

  /** Keeps a chunk, if there is room for it or the purpose allows to push out others. */
  set(key: string, chunk: DecodedChunk, purpose: ReadPurpose): void {
    this.drop(key);
    const nowMs = this.#nowMs();
    for (const [oldest, { usedAtMs }] of this.#chunks) {
      if (this.#bytes + chunk.bytes <= this.#maxBytes) break;
      if (purpose === 'scan' && nowMs - usedAtMs < IDLE_MS) return;
      this.drop(oldest);
    }
    if (this.#bytes + chunk.bytes > this.#maxBytes) return;
    this.#chunks.set(key, { chunk, usedAtMs: nowMs });
    this.#bytes += chunk.bytes;
  }

  drop(key: string): void {
    this.#bytes -= this.#chunks.get(key)?.chunk.bytes ?? 0;
    this.#chunks.delete(key);
  }
}
