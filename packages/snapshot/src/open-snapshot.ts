import { type RowKey, type ServedRow, sortKey } from '@syncline/rows';
import type { ReadPurpose } from './chunk-cache.ts';
import type { ChunkReader } from './chunk-reader.ts';
import { type AttachmentKind, decodeAttachment, type Manifest } from './encoding/manifest.ts';
import { readChunkBlobs, type SnapshotStore } from './store.ts';

export interface RowsOptions {
  /** Returns only rows after this key. */
  readonly after?: RowKey;
  /** May omit rows without an update after this time. */
  readonly updatedAfterMs?: number;
  /** Default: `page`. */
  readonly purpose?: ReadPurpose;
}

/** One snapshot. Later publications do not change it. */
export interface OpenSnapshot {
  readonly digest: string;
  readonly rowCount: number;
  /** Milliseconds since the reader looked up that this snapshot is served. `undefined` for a fresh lookup. */
  readonly ageMs: number | undefined;
  /** Returns the rows, sorted by name, then version, byte by byte. */
  rows(options?: RowsOptions): AsyncIterable<ServedRow>;
  /** Returns the same rows in batches, one for each stored chunk. */
  batches(options?: RowsOptions): AsyncIterable<readonly ServedRow[]>;
  /** Returns one row, or `undefined` if the snapshot lacks it. */
  row(key: RowKey): Promise<ServedRow | undefined>;
  /** Returns the registry's skills or plugins, as the source gave them. */
  attachment(kind: AttachmentKind): Promise<unknown[]>;
}

export interface OpenSnapshotOptions extends Pick<OpenSnapshot, 'digest' | 'ageMs'> {
  readonly registry: string;
  readonly manifest: Manifest;
  readonly store: Pick<SnapshotStore, 'readChunks'>;
  readonly chunks: Pick<ChunkReader, 'read'>;
}

/** Opens the snapshot that a manifest describes. */
export function openSnapshot({
  registry,
  digest,
  ageMs,
  manifest,
  store,
  chunks,
}: OpenSnapshotOptions): OpenSnapshot {
  async function* batches({ after, updatedAfterMs, purpose = 'page' }: RowsOptions = {}) {
    // The smallest key after `after`, because NUL sorts before every other character.
    const least = after === undefined ? '' : `${sortKey(after)}\0`;
    const first = firstChunkFor(manifest, least);
    for (let index = first; index < manifest.chunks.length; index += 1) {
      const chunk = manifest.chunks[index];
      if (chunk === undefined || chunk.newestMs <= (updatedAfterMs ?? -Infinity)) continue;
      const { keys, rows } = await chunks.read(registry, chunk, purpose);
      if (index > first) yield rows;
      else yield rows.slice(firstIndexFrom(keys, least));
    }
  }
  return {
    digest,
    rowCount: manifest.rowCount,
    ageMs,
    batches,
    async *rows(options) {
      for await (const batch of batches(options)) yield* batch;
    },
    async row(key) {
      const wanted = sortKey(key);
      const chunk = manifest.chunks[firstChunkFor(manifest, wanted)];
      if (chunk === undefined) return undefined;
      const { keys, rows } = await chunks.read(registry, chunk, 'page');
      const index = firstIndexFrom(keys, wanted);
      return keys[index] === wanted ? rows[index] : undefined;
    },
    async attachment(kind) {
      const found = manifest.attachments?.find((attachment) => attachment.kind === kind);
      if (found === undefined) return [];
      const [blob] = await readChunkBlobs(store, { registry, digests: [found.digest] });
      return blob === undefined ? [] : decodeAttachment(blob);
    },
  };
}

/** Returns the index of the only chunk that may contain `key`. */
function firstChunkFor({ chunks }: Manifest, key: string): number {
  const after = firstIndex(chunks.length, (index) => (chunks[index]?.firstKey ?? '') > key);
  return Math.max(after - 1, 0);
}

/** Returns the index of the first key that is `key` or sorts after it. */
function firstIndexFrom(keys: readonly string[], key: string): number {
  return firstIndex(keys.length, (index) => (keys[index] ?? '') >= key);
}

/** Returns the first index for which a condition is true, or `length`. It must be true for all later ones too. */
function firstIndex(length: number, isTrue: (index: number) => boolean): number {
  let low = 0;
  let high = length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (isTrue(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}
