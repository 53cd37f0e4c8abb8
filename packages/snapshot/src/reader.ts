import { SynclineError, systemClock } from '@syncline/contract';
import { CONCURRENT_COLD_READS, createChunkReader } from './chunk-reader.ts';
import { ColdReads } from './cold-reads.ts';
import { decodeManifest, type Manifest } from './encoding/manifest.ts';
import { LastKnown, type LastKnownOptions } from './last-known.ts';
import { type OpenSnapshot, openSnapshot } from './open-snapshot.ts';
import type { SnapshotStore } from './store.ts';

/** Reads served snapshots. */
export interface SnapshotReader {
  /** Opens the current snapshot. Returns `undefined` before the first publication. */
  open(registry: string): Promise<OpenSnapshot | undefined>;
  /** Returns the figures of the cache. The counters start at 0 with the reader. */
  usage(): CacheUsage;
}

export interface CacheUsage {
  /** An estimate of the memory that the cached rows and manifests take. */
  readonly bytes: number;
  readonly maxBytes: number;
  /** How many chunks readers found in the cache. */
  readonly hits: number;
  /** How many chunks were read from the store and decoded. */
  readonly coldReads: number;
}

const DEFAULT_CACHED_BYTES = 128 * 1024 * 1024;
/** The share of the cache that manifests may take. A catalog's manifest is much smaller than its rows. */
const MANIFEST_SHARE = 1 / 4;
/** A manifest disappears only if a reader is slower than the collector's grace time. This rarely happens twice. */
const OPEN_ATTEMPTS = 3;

export interface SnapshotReaderOptions {
  readonly store: Pick<SnapshotStore, 'readPointer' | 'readManifest' | 'readChunks'>;
  /** The memory for cached rows and manifests. Default: 128 MiB. */
  readonly cachedBytes?: number;
  /** Resolves when this reader may decode a chunk, which blocks the event loop for milliseconds. Default: at once. */
  readonly takeTurn?: () => Promise<unknown>;
  /** Returns whether the store is unreachable, so that the reader opens the last known snapshot. Default: never. */
  readonly isAway?: LastKnownOptions<unknown>['isAway'];
  readonly clock?: LastKnownOptions<unknown>['clock'];
}

interface Served {
  readonly digest: string;
  readonly manifest: Manifest;
}

/**
 * Creates a reader that caches the served manifests and their chunks. The cache is never stale, because a digest
 * identifies one content. The reader looks up the served digest at each `open`.
 */
export function createSnapshotReader({
  store,
  cachedBytes = DEFAULT_CACHED_BYTES,
  takeTurn = async () => {},
  isAway = () => false,
  clock = systemClock,
}: SnapshotReaderOptions): SnapshotReader {
  const served = new LastKnown<Served | undefined>({
    isAway,
    clock,
    maxBytes: cachedBytes * MANIFEST_SHARE,
    sizeOf: (value) => (value === undefined ? 0 : manifestMemory(value.manifest)),
  });
  const chunks = createChunkReader({
    store,
    takeTurn,
    maxBytes: cachedBytes * (1 - MANIFEST_SHARE),
    nowMs: () => clock.monotonic(),
  });
  const coldManifests = new ColdReads<Manifest | undefined>(CONCURRENT_COLD_READS);

  return {
    async open(registry) {
      const { value, ageMs } = await served.read(registry, () => readServed(registry));
      return value && openSnapshot({ ...value, registry, ageMs, store, chunks });
    },
    usage() {
      const { bytes, ...counts } = chunks.usage();
      return { ...counts, bytes: bytes + served.bytes, maxBytes: cachedBytes };
    },
  };

  /** Also reads the manifest, because the pointer alone is useless while the store is unreachable. */
  async function readServed(registry: string): Promise<Served | undefined> {
    for (let attempt = 1; attempt <= OPEN_ATTEMPTS; attempt += 1) {
      const digest = await store.readPointer(registry);
      if (digest === undefined) return undefined;
      const known = served.peek(registry);
      if (known?.digest === digest) return known;
      const manifest = await coldManifests.read(`${registry}:${digest}`, async () => {
        const bytes = await store.readManifest(registry, digest);
        if (bytes === undefined) return undefined;
        await takeTurn();
        return decodeManifest({ digest, bytes });
      });
      if (manifest === undefined) continue;
      if (known !== undefined) {
        chunks.dropSuperseded(registry, { before: known.manifest.chunks, now: manifest.chunks });
      }
      return { digest, manifest };
    }
    throw new SynclineError(
      'snapshot-incomplete',
      `the store has no manifest for the snapshot of ${registry}`,
    );
  }
}

/** The digests of a chunk, and its object. */
const BYTES_PER_MANIFEST_CHUNK = 256;

/** Returns an estimate of the memory that a decoded manifest takes. */
function manifestMemory({ chunks }: Manifest): number {
  return chunks.reduce((sum, { firstKey }) => sum + BYTES_PER_MANIFEST_CHUNK + firstKey.length, 0);
}
