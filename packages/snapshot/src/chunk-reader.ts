import { toServedRow } from '@syncline/rows';
import {
  ChunkCache,
  type ChunkCacheOptions,
  type DecodedChunk,
  type ReadPurpose,
} from './chunk-cache.ts';
import { ColdReads } from './cold-reads.ts';
import { decodeRows } from './encoding/chunk.ts';
import type { ManifestChunk } from './encoding/manifest.ts';
import { estimateRowMemory } from './memory-estimate.ts';
import { readChunkBlobs, type SnapshotStore } from './store.ts';

/** Enough to use Redis while another chunk is being decoded. */
export const CONCURRENT_COLD_READS = 4;

/** Reads chunks through a cache. */
export interface ChunkReader {
  read(registry: string, chunk: ManifestChunk, purpose: ReadPurpose): Promise<DecodedChunk>;
  /** Drops the chunks of `before` that are not in `now`. Readers of an old snapshot read them again. */
  dropSuperseded(
    registry: string,
    chunks: { readonly before: readonly ManifestChunk[]; readonly now: readonly ManifestChunk[] },
  ): void;
  /** Returns the bytes in the cache, and how many reads found their chunk there or not, since the start. */
  usage(): { readonly bytes: number; readonly hits: number; readonly coldReads: number };
}

export interface ChunkReaderOptions extends ChunkCacheOptions {
  readonly store: Pick<SnapshotStore, 'readChunks'>;
  /** See `SnapshotReaderOptions`. */
  readonly takeTurn: () => Promise<unknown>;
}

export function createChunkReader({
  store,
  takeTurn,
  ...options
}: ChunkReaderOptions): ChunkReader {
  const cache = new ChunkCache(options);
  const cold = new ColdReads<DecodedChunk>(CONCURRENT_COLD_READS);
  const counts = { hits: 0, coldReads: 0 };

  return {
    async read(registry, chunk, purpose) {
      const cacheKey = cacheKeyOf(registry, chunk);
      const known = cache.get(cacheKey);
      if (known === undefined) {
        return cold.read(cacheKey, () => readCold(registry, chunk, purpose));
      }
      counts.hits += 1;
      return known;
    },
    dropSuperseded(registry, { before, now }) {
      const kept = new Set(now.map((chunk) => cacheKeyOf(registry, chunk)));
      for (const chunk of before) {
        const cacheKey = cacheKeyOf(registry, chunk);
        if (!kept.has(cacheKey)) cache.drop(cacheKey);
      }
    },
    usage: () => ({ ...counts, bytes: cache.bytes }),
  };

  async function readCold(
    registry: string,
    chunk: ManifestChunk,
    purpose: ReadPurpose,
  ): Promise<DecodedChunk> {
    const [blob] = await readChunkBlobs(store, { registry, digests: [chunk.digest] });
    if (blob === undefined) return { keys: [], rows: [], bytes: 0 };
    await takeTurn();
    let bytes = 0;
    const measure = (json: Buffer) => {
      bytes = estimateRowMemory(json, chunk.count);
    };
    const stored = decodeRows(blob, { newestMs: chunk.newestMs, onContent: measure });
    const decoded = {
      keys: stored.map(({ key }) => key),
      rows: stored.map((row) => toServedRow(row, registry)),
      bytes,
    };
    cache.set(cacheKeyOf(registry, chunk), decoded, purpose);
    counts.coldReads += 1;
    return decoded;
  }
}

/** Returns the cache key of a chunk. The digest alone is ambiguous: the registry or the time may differ. */
function cacheKeyOf(registry: string, { digest, newestMs }: ManifestChunk): string {
  return `${registry}:${digest}:${newestMs}`;
}
