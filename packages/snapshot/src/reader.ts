import { SynclineError, systemClock } from '@syncline/contract';
import { nameSortKey, type RowKey, type ServedRow, sortKey, toServedRow } from '@syncline/rows';
import { ChunkCache, type Entry } from './chunk-cache.ts';
import { decodeRows } from './encoding/chunk.ts';
import {
  type AttachmentKind,
  decodeAttachment,
  decodeManifest,
  type Manifest,
  type ManifestChunk,
} from './encoding/manifest.ts';
import { LastKnown, type LastKnownOptions } from './last-known.ts';
import { readChunkBlobs, type SnapshotStore } from './store.ts';

/** Reads served snapshots. */
export interface SnapshotReader {
  /** Opens the current snapshot. Returns `undefined` before the first publication. */
  open(registry: string): Promise<OpenSnapshot | undefined>;
}

/** One snapshot. Later publications do not change it. */
export interface OpenSnapshot {
  readonly digest: string;
  readonly rowCount: number;
  /** Milliseconds since the reader looked up that this snapshot is served. `undefined` for a fresh lookup. */
  readonly ageMs: number | undefined;
  /**
   * Returns the rows after `after`, sorted by name, then version, byte by byte. With `updatedAfterMs`, the result may
   * omit rows without an update after that time.
   */
  rows(options?: { after?: RowKey; updatedAfterMs?: number }): AsyncIterable<ServedRow>;
  /** Returns all versions of a name, in byte order. */
  versions(name: string): Promise<ServedRow[]>;
  /** Returns the registry's skills or plugins, as the source gave them. */
  attachment(kind: AttachmentKind): Promise<unknown[]>;
}

/** The size of the cache, in rows. */
const DEFAULT_CACHED_ROWS = 150_000;
/** A manifest disappears only if a reader is slower than the collector's grace time. This rarely happens twice. */
const OPEN_ATTEMPTS = 3;

export interface SnapshotReaderOptions {
  readonly store: Pick<SnapshotStore, 'readPointer' | 'readManifest' | 'readChunks'>;
  readonly cachedRows?: number;
  /** Returns whether the store is unreachable, so that the reader opens the last known snapshot. Default: never. */
  readonly isAway?: LastKnownOptions['isAway'];
  readonly clock?: LastKnownOptions['clock'];
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
  cachedRows = DEFAULT_CACHED_ROWS,
  isAway = () => false,
  clock = systemClock,
}: SnapshotReaderOptions): SnapshotReader {
  const served = new LastKnown<Served | undefined>({ isAway, clock });
  const chunks = new ChunkCache(cachedRows);

  return {
    async open(registry) {
      const { value, ageMs } = await served.read(registry, () => readServed(registry));
      return value === undefined ? undefined : openSnapshot(registry, { ...value, ageMs });
    },
  };

  /** Also reads the manifest, because the pointer alone is useless while the store is unreachable. */
  async function readServed(registry: string): Promise<Served | undefined> {
    for (let attempt = 1; attempt <= OPEN_ATTEMPTS; attempt += 1) {
      const digest = await store.readPointer(registry);
      if (digest === undefined) return undefined;
      const known = served.peek(registry);
      if (known?.digest === digest) return known;
      const bytes = await store.readManifest(registry, digest);
      if (bytes === undefined) continue;
      const manifest = decodeManifest({ digest, bytes });
      if (known !== undefined) dropSuperseded(registry, known.manifest, manifest);
      return { digest, manifest };
    }
    throw new SynclineError(
      'snapshot-incomplete',
      `the store has no manifest for the snapshot of ${registry}`,
    );
  }

  /** Frees chunks that are no longer served. Readers of the old snapshot read them again. */
  function dropSuperseded(registry: string, before: Manifest, now: Manifest): void {
    const kept = new Set(now.chunks.map((chunk) => cacheKeyOf(registry, chunk)));
    for (const chunk of before.chunks) {
      const cacheKey = cacheKeyOf(registry, chunk);
      if (!kept.has(cacheKey)) chunks.drop(cacheKey);
    }
  }

  async function readEntries(registry: string, chunk: ManifestChunk): Promise<readonly Entry[]> {
    const cacheKey = cacheKeyOf(registry, chunk);
    const known = chunks.get(cacheKey);
    if (known !== undefined) return known;
    const [blob] = await readChunkBlobs(store, { registry, digests: [chunk.digest] });
    if (blob === undefined) return [];
    const entries = decodeRows(blob, chunk).map((row) => ({
      key: row.key,
      row: toServedRow(row, registry),
    }));
    chunks.set(cacheKey, entries);
    return entries;
  }

  function openSnapshot(
    registry: string,
    { digest, manifest, ageMs }: Served & Pick<OpenSnapshot, 'ageMs'>,
  ): OpenSnapshot {
    async function* entriesFrom(least: string, updatedAfterMs = Number.NEGATIVE_INFINITY) {
      for (const chunk of manifest.chunks.slice(firstChunkFor(manifest, least))) {
        if (chunk.newestMs <= updatedAfterMs) continue;
        for (const entry of await readEntries(registry, chunk)) if (entry.key >= least) yield entry;
      }
    }
    return {
      digest,
      rowCount: manifest.rowCount,
      ageMs,
      async *rows({ after, updatedAfterMs } = {}) {
        // The smallest key after `after`, because NUL sorts before every other character.
        const least = after === undefined ? '' : `${sortKey(after)}\0`;
        for await (const { row } of entriesFrom(least, updatedAfterMs)) yield row;
      },
      async versions(name) {
        const found: ServedRow[] = [];
        for await (const { row } of entriesFrom(nameSortKey(name))) {
          if (row.server.name !== name) break;
          found.push(row);
        }
        return found;
      },
      async attachment(kind) {
        const found = manifest.attachments?.find((attachment) => attachment.kind === kind);
        if (found === undefined) return [];
        const [blob] = await readChunkBlobs(store, { registry, digests: [found.digest] });
        return blob === undefined ? [] : decodeAttachment(blob);
      },
    };
  }
}

/** Returns the cache key of a chunk. The digest alone is ambiguous: the registry or the time may differ. */
function cacheKeyOf(registry: string, { digest, newestMs }: ManifestChunk): string {
  return `${registry}:${digest}:${newestMs}`;
}

/** Returns the index of the only chunk that may contain `key`. */
function firstChunkFor({ chunks }: Manifest, key: string): number {
  let low = 0;
  let high = chunks.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((chunks[middle]?.firstKey ?? '') <= key) low = middle + 1;
    else high = middle;
  }
  return Math.max(low - 1, 0);
}
