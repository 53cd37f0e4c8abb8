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
  /** Opens the snapshot that is served now; `undefined` if none was ever published. */
  open(registry: string): Promise<OpenSnapshot | undefined>;
}

/** One snapshot. It stays the same when another one is published. */
export interface OpenSnapshot {
  readonly digest: string;
  readonly rowCount: number;
  /** How long ago it was read that this snapshot is served; `undefined` if that was just now. */
  readonly ageMs: number | undefined;
  /**
   * Returns the rows strictly after `after`, by name, then version, byte by byte. With `updatedAfterMs`, it may leave out
   * rows that were not updated after that time.
   */
  rows(options?: { after?: RowKey; updatedAfterMs?: number }): AsyncIterable<ServedRow>;
  /** Returns all versions of a name, in byte order. */
  versions(name: string): Promise<ServedRow[]>;
  /** Returns the registry's skills or plugins, as they came. */
  attachment(kind: AttachmentKind): Promise<unknown[]>;
}

/** The size of the cache, in rows. */
const DEFAULT_CACHED_ROWS = 150_000;
/** A manifest vanishes only if a reader is slower than the collector's grace. That rarely happens twice. */
const OPEN_ATTEMPTS = 3;

export interface SnapshotReaderOptions {
  readonly store: Pick<SnapshotStore, 'readPointer' | 'readManifest' | 'readChunks'>;
  readonly cachedRows?: number;
  /** Whether an error says that the store is away: the last known snapshot is opened then. By default none does. */
  readonly isAway?: LastKnownOptions['isAway'];
  readonly clock?: LastKnownOptions['clock'];
}

interface Served {
  readonly digest: string;
  readonly manifest: Manifest;
}

/**
 * Creates a reader that caches the served manifests and their chunks. The cache is never stale, because a digest names
 * one content. The reader asks each time which digest is served.
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

  /** Reads the manifest too: without it, the pointer is useless while the store is away. */
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
    throw new SynclineError('snapshot-incomplete', `the snapshot of ${registry} has no manifest`);
  }

  /** Frees chunks that are no longer served. Readers that still use the old snapshot read them again. */
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
        // The least key after `after`: NUL sorts before every other character.
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

/** Not the digest alone: another registry can have the same chunk, or the same one at another time. */
function cacheKeyOf(registry: string, { digest, newestMs }: ManifestChunk): string {
  return `${registry}:${digest}:${newestMs}`;
}

/** Returns the index of the chunk that has `key`, if any chunk has. */
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
