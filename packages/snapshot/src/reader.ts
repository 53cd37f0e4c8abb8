import { batchesOf, SynclineError, systemClock } from '@syncline/contract';
import {
  type JsonObject,
  nameSortKey,
  OFFICIAL_META,
  type OfficialMeta,
  type RowKey,
  type ServedRow,
  SYNCLINE_META,
  type SynclineMeta,
  sha256,
  sortKey,
} from '@syncline/rows';
import { ChunkCache, type Entry } from './chunk-cache.ts';
import { type AttachmentKind, decodeAttachment } from './encoding/attachment.ts';
import { AS_CHUNK, type Chunk, decodeChunk } from './encoding/chunk.ts';
import { decodeManifest, type Manifest, type ManifestChunk } from './encoding/manifest.ts';
import { LastKnown, type LastKnownOptions } from './last-known.ts';
import type { Blob, SnapshotStore } from './store.ts';

/** Reads what is served. */
export interface SnapshotReader {
  /** The snapshot that is served now; `undefined` where none was ever published. */
  open(registry: string): Promise<OpenSnapshot | undefined>;
}

/** One snapshot. It stays what it is, whatever is published meanwhile. */
export interface OpenSnapshot {
  readonly digest: string;
  readonly rowCount: number;
  /** How long ago it was known to be the one that is served; `undefined` where that has just been read. */
  readonly ageMs: number | undefined;
  /**
   * Rows by name, then version, as bytes order them: those strictly after `after`, and of these, where
   * `updatedAfterMs` is given, at least all whose `updatedAt` lies after it.
   */
  rows(options?: { after?: RowKey; updatedAfterMs?: number }): AsyncIterable<ServedRow>;
  /** All versions of a name, in byte order; none where there is no such server. */
  versions(name: string): Promise<ServedRow[]>;
  /** What the registry has besides servers, as it came; empty where it has none of that kind. */
  attachment(kind: AttachmentKind): Promise<unknown[]>;
}

/** How much of what was read is kept, in rows. */
const DEFAULT_CACHED_ROWS = 150_000;
/** A reader can fall behind collection only if it takes more than the collector's grace; once is enough. */
const OPEN_ATTEMPTS = 3;

export interface SnapshotReaderOptions {
  readonly store: Pick<SnapshotStore, 'readPointer' | 'readManifest' | 'readChunks'>;
  readonly cachedRows?: number;
  /** Which errors say that the store is away: what was served last is opened then. By default none. */
  readonly isAway?: LastKnownOptions['isAway'];
  readonly clock?: LastKnownOptions['clock'];
}

interface Served {
  readonly digest: string;
  readonly manifest: Manifest;
}

/**
 * A reader that keeps chunks it has read while they are served, and of each registry the manifest that is.
 * What it keeps never goes stale: a digest names one content. Which digest is served is asked each time.
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

  /** The manifest too: a pointer whose manifest cannot be had is of no use to who reads on without the store. */
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

  /** Who is still on the snapshot before reads them again; else they would stay until the cache is full. */
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
    const entries = toEntries(decodeChunk(blob), { source: registry, newestMs: chunk.newestMs });
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
        // The least key after `after`: NUL sorts before whatever else could follow.
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

/** Not the digest alone: the same chunk can be another source's, or have come back at another time. */
function cacheKeyOf(registry: string, { digest, newestMs }: ManifestChunk): string {
  return `${registry}:${digest}:${newestMs}`;
}

/** @throws SynclineError `snapshot-incomplete` */
export async function readChunkBlobs(
  store: Pick<SnapshotStore, 'readChunks'>,
  { registry, digests }: { registry: string; digests: readonly string[] },
): Promise<Blob[]> {
  const found = await store.readChunks(registry, digests);
  return digests.map((digest, index) => {
    const bytes = found[index];
    if (bytes === undefined) {
      throw new SynclineError('snapshot-incomplete', `${registry} lacks the chunk ${digest}`);
    }
    return { digest, bytes };
  });
}

const VERIFY_BATCH_SIZE = 64;

/** Whether all these blobs are stored, each as its digest says. Reads them all, a few at a time. */
export async function areIntact(
  store: Pick<SnapshotStore, 'readChunks'>,
  { registry, digests }: { registry: string; digests: readonly string[] },
): Promise<boolean> {
  for (const batch of batchesOf(digests, VERIFY_BATCH_SIZE)) {
    const found = await store.readChunks(registry, batch);
    const isIntact = (digest: string, index: number) => {
      const bytes = found[index];
      return bytes !== undefined && sha256(bytes) === digest;
    };
    if (!batch.every(isIntact)) return false;
  }
  return true;
}

/** The index of the chunk in which `key` lies, if anywhere. */
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

interface StoredValue extends JsonObject {
  readonly server: ServedRow['server'];
  readonly _meta: JsonObject & {
    [OFFICIAL_META]?: Partial<OfficialMeta>;
    [SYNCLINE_META]?: Partial<SynclineMeta>;
  };
}

// Rows were validated before they were stored, and the digest vouches for them since. A schema would
// copy them, and a copy could lose what is to come out as it came in.
function isStoredValue(value: JsonObject): value is StoredValue {
  return typeof value['server'] === 'object' && typeof value['_meta'] === 'object';
}

function toEntries(
  chunk: Chunk,
  { source, newestMs }: { source: string; newestMs: number },
): Entry[] {
  const time = (atMs = AS_CHUNK) => new Date(atMs === AS_CHUNK ? newestMs : atMs).toISOString();
  return chunk.rows.flatMap((value, index) => {
    if (!isStoredValue(value)) return [];
    const { server, _meta } = value;
    const official = _meta[OFFICIAL_META];
    const upstreamUpdatedAt = official?.updatedAt;
    const row: ServedRow = {
      ...value,
      server,
      _meta: {
        ..._meta,
        [OFFICIAL_META]: {
          status: 'active',
          publishedAt: time(chunk.firstSeenAt[index]),
          ...official,
          updatedAt: time(chunk.updatedAt[index]),
          isLatest: chunk.latest[index] === 1,
        },
        [SYNCLINE_META]: {
          source,
          // A catalog's rows say themselves where they came from.
          ..._meta[SYNCLINE_META],
          ...(upstreamUpdatedAt === undefined ? {} : { upstreamUpdatedAt }),
        },
      },
    };
    return [{ key: sortKey(server), row }];
  });
}
