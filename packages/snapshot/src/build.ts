import type { Diff } from '@syncline/contract';
import { latestFlags, nameOfKey, type ReadRow } from '@syncline/rows';
import { DiffCollector } from './diff.ts';
import {
  AS_CHUNK,
  type ChunkContent,
  chunkContent,
  chunkCuts,
  decodeRows,
  encodeChunk,
  type MarkedRow,
  type RowTimes,
} from './encoding/chunk.ts';
import {
  type Attachment,
  type AttachmentDraft,
  attach,
  EMPTY_MANIFEST,
  encodeManifest,
  type Manifest,
  type ManifestChunk,
} from './encoding/manifest.ts';
import type { Blob } from './store.ts';

/** A snapshot that is ready to be stored. */
export interface BuiltSnapshot {
  readonly manifest: Manifest;
  readonly manifestBlob: Blob;
  /** The chunks and attachments that the previous snapshot does not have. */
  readonly newChunks: readonly Blob[];
  readonly diff: Diff;
}

/** Returns chunks in the order of `digests`. @throws SynclineError `snapshot-incomplete` */
export type ReadChunks = (digests: readonly string[]) => Promise<Blob[]>;

export interface FinishOptions {
  /** Epoch milliseconds by the store's clock. Changed rows get this time as `updatedAt`. */
  readonly nowMs: number;
  /** The number of valid rows of the source, before the filter. */
  readonly sourceRowCount: number;
  readonly skillCount: number;
  readonly pluginCount: number;
  /** The number of names in {@link SnapshotBuilder.keep kept} chunks, without the names of pushed rows. */
  readonly keptServerCount?: number;
  readonly attachments?: readonly (AttachmentDraft | Attachment)[] | undefined;
  /** The mirror of this view, and the view's filter. */
  readonly origin?: Pick<Manifest, 'mirror' | 'filterHash'>;
  /** Reads chunks of the previous snapshot. */
  readonly readChunks: ReadChunks;
}

/** A row of the previous snapshot in a chunk that the new snapshot replaces. */
type ReplacedRow = MarkedRow & RowTimes;

interface StampContext {
  readonly replaced: Map<string, ReplacedRow>;
  readonly stampMs: number;
}

/**
 * Cuts incoming rows into chunks, reuses equal chunks of the previous snapshot, and stamps changed rows with a time.
 * Memory, work and written bytes grow with the change, not with the registry.
 */
export class SnapshotBuilder {
  /** The served snapshot, or `undefined` before the first one. */
  readonly previous: Manifest | undefined;
  readonly #reusable: ReadonlyMap<string, ManifestChunk>;
  /** Functions that finish the chunks of the new snapshot, in order. */
  readonly #pieces: ((context: StampContext) => ManifestChunk)[] = [];
  /** Digests of the chunks that both snapshots have. */
  readonly #kept = new Set<string>();
  readonly #newChunks: Blob[] = [];
  readonly #diff: DiffCollector;
  /** The rows since the last cut. */
  #tail: MarkedRow[] = [];
  #rowCount = 0;
  readonly #names = new NameCounter();

  constructor({
    previous,
    diff = new DiffCollector(),
  }: {
    previous: Manifest | undefined;
    diff?: DiffCollector;
  }) {
    this.previous = previous;
    this.#diff = diff;
    this.#reusable = new Map(previous?.chunks.map((chunk) => [chunk.contentDigest, chunk]));
  }

  /** Adds rows. @param rows sorted by key, after all earlier rows, and with all versions of each name */
  push(rows: readonly ReadRow[]): void {
    const latest = latestFlags(rows);
    this.pushMarked(
      rows.map(({ key, json }, index) => ({ key, json, isLatest: latest[index] === true })),
    );
  }

  /** Adds rows with known `isLatest`. @param rows sorted by key, after all earlier rows */
  pushMarked(rows: readonly MarkedRow[]): void {
    for (const row of rows) this.#tail.push(row);
    this.#names.add(rows);
    this.#rowCount += rows.length;
    this.#cut({ isEnd: false });
  }

  /** The number of rows so far, with the rows of kept chunks. */
  get rowCount(): number {
    return this.#rowCount;
  }

  /** Whether the next row starts a chunk. */
  get isAtCut(): boolean {
    return this.#tail.length === 0;
  }

  /**
   * Reuses a chunk of the previous snapshot without reading the chunk. Requires {@link isAtCut}. `keptServerCount`
   * counts the names in the chunk.
   */
  keep(chunk: ManifestChunk): void {
    this.#keep(chunk);
    this.#rowCount += chunk.count;
  }

  async finish(options: FinishOptions): Promise<BuiltSnapshot> {
    this.#cut({ isEnd: true });
    const { newestMs, attachments: known } = this.previous ?? EMPTY_MANIFEST;
    const replaced = await this.#readReplaced(options.readChunks);
    const stampMs = Math.max(options.nowMs, newestMs + 1);
    const chunks = this.#pieces.map((finish) => finish({ replaced, stampMs }));
    // The remaining rows were in replaced chunks, and no new chunk has them.
    for (const key of replaced.keys()) this.#diff.count('removed', key);
    const { attachments, newBlobs } = attach(options.attachments ?? [], known);
    const isSame = this.previous !== undefined && this.#diff.isEmpty();
    const manifest: Manifest = {
      rowCount: this.#rowCount,
      sourceRowCount: options.sourceRowCount,
      serverCount: this.#names.count + (options.keptServerCount ?? 0),
      skillCount: options.skillCount,
      pluginCount: options.pluginCount,
      newestMs: isSame ? newestMs : stampMs,
      chunks,
      ...(attachments.length === 0 ? {} : { attachments }),
      ...options.origin,
    };
    return {
      manifest,
      manifestBlob: encodeManifest(manifest),
      newChunks: [...this.#newChunks, ...newBlobs],
      diff: this.#diff.result(),
    };
  }

  #cut({ isEnd }: { isEnd: boolean }): void {
    const cuts = chunkCuts(this.#tail.map(({ key }) => key));
    // Rows after the last cut may share a chunk with later rows.
    if (isEnd && (cuts.at(-1) ?? 0) < this.#tail.length) cuts.push(this.#tail.length);
    let start = 0;
    for (const end of cuts) {
      this.#addChunk(this.#tail.slice(start, end));
      start = end;
    }
    this.#tail = this.#tail.slice(start);
  }

  #keep(chunk: ManifestChunk): void {
    this.#kept.add(chunk.digest);
    this.#pieces.push(() => chunk);
  }

  #addChunk(rows: readonly MarkedRow[]): void {
    const content = chunkContent(rows);
    const known = this.#reusable.get(content.digest);
    if (known !== undefined) {
      this.#keep(known);
    } else if (this.previous === undefined) {
      this.#addEncoded(content, rows);
    } else {
      this.#pieces.push((context) => {
        const times = rows.map((row) => this.#stamp(row, context));
        const updatedMs = times.map(({ updatedAtMs: atMs }) =>
          atMs === AS_CHUNK ? context.stampMs : atMs,
        );
        return { ...this.#encode(content, rows, times), newestMs: Math.max(...updatedMs) };
      });
    }
  }

  /**
   * Encodes a chunk of a first snapshot at once, so that the builder can free the rows. This method is separate,
   * because closures of one function keep each other's variables alive: 200 MB with 100,000 rows.
   */
  #addEncoded(content: ChunkContent, rows: readonly MarkedRow[]): void {
    for (const { key } of rows) this.#diff.count('added', key);
    const times = rows.map(() => ({ updatedAtMs: AS_CHUNK, firstSeenAtMs: AS_CHUNK }));
    this.#addStamped(this.#encode(content, rows, times));
  }

  #addStamped(chunk: Omit<ManifestChunk, 'newestMs'>): void {
    this.#pieces.push(({ stampMs }) => ({ ...chunk, newestMs: stampMs }));
  }

  #encode(
    content: ChunkContent,
    rows: readonly MarkedRow[],
    times: readonly RowTimes[],
  ): Omit<ManifestChunk, 'newestMs'> {
    const blob = encodeChunk(content, times);
    this.#newChunks.push(blob);
    return {
      firstKey: rows[0]?.key ?? '',
      count: rows.length,
      digest: blob.digest,
      contentDigest: content.digest,
    };
  }

  #stamp(row: MarkedRow, { replaced, stampMs }: StampContext): RowTimes {
    const { key, json, isLatest } = row;
    const old = replaced.get(key);
    replaced.delete(key);
    if (old === undefined) {
      this.#diff.count('added', key);
      return { updatedAtMs: AS_CHUNK, firstSeenAtMs: stampMs };
    }
    // The row is unchanged, but its chunk has other cuts.
    if (old.json === json && old.isLatest === isLatest) return old;
    this.#diff.countUpdate(key, { before: old, after: row });
    return { updatedAtMs: AS_CHUNK, firstSeenAtMs: old.firstSeenAtMs };
  }

  /** Reads the previous snapshot's chunks that the new snapshot does not have. Returns their rows. */
  async #readReplaced(readChunks: ReadChunks): Promise<Map<string, ReplacedRow>> {
    const chunks = this.previous?.chunks.filter(({ digest }) => !this.#kept.has(digest)) ?? [];
    const rows = new Map<string, ReplacedRow>();
    if (chunks.length === 0) return rows;
    const blobs = await readChunks(chunks.map(({ digest }) => digest));
    for (const [index, blob] of blobs.entries()) {
      const { newestMs = 0 } = chunks[index] ?? {};
      for (const { value, ...row } of decodeRows(blob, { newestMs })) {
        rows.set(row.key, { ...row, json: JSON.stringify(value) });
      }
    }
    return rows;
  }
}

/** Counts the distinct names of sorted rows. */
export class NameCounter {
  count = 0;
  #last: string | undefined;

  add(rows: readonly Pick<MarkedRow, 'key'>[]): void {
    for (const { key } of rows) {
      const name = nameOfKey(key);
      if (name !== this.#last) this.count += 1;
      this.#last = name;
    }
  }
}
