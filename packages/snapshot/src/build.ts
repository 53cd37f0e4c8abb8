import { type Diff, SynclineError } from '@syncline/contract';
import {
  displayKey,
  latestFlags,
  MAX_SERVER_BYTES,
  MAX_SNAPSHOT_BYTES,
  nameOfKey,
  type ReadRow,
} from '@syncline/rows';
import { DiffCollector } from './diff.ts';
import {
  AS_CHUNK,
  type ChunkContent,
  chunkContent,
  compressContent,
  decompressContent,
  encodeChunk,
  type MarkedRow,
  type RowTimes,
  rowsOfContent,
} from './encoding/chunk.ts';
import { ChunkCutter } from './encoding/chunk-cutter.ts';
import {
  type Attachment,
  type AttachmentDraft,
  attach,
  EMPTY_MANIFEST,
  encodeManifest,
  type Manifest,
  type ManifestChunk,
} from './encoding/manifest.ts';
import { decodeInOrder, type ReadChunks, ReplacedRows } from './read-chunks.ts';
import { RetainedBytes } from './retained-bytes.ts';
import type { Blob } from './store.ts';

/** A snapshot that is ready to be stored. */
export interface BuiltSnapshot {
  readonly manifest: Manifest;
  readonly manifestBlob: Blob;
  /** The chunks and attachments that the previous snapshot does not have. */
  readonly newChunks: readonly Blob[];
  readonly diff: Diff;
}

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

/** A row with the size of its JSON in bytes. */
interface SizedRow extends MarkedRow {
  readonly bytes: number;
}

/** A chunk of the new snapshot, without the time that it may get at the end. */
type EncodedChunk = Omit<ManifestChunk, 'newestMs'> & Partial<Pick<ManifestChunk, 'newestMs'>>;

/** A changed chunk that is not encoded yet, because its rows must be compared with the previous snapshot. */
interface PendingChunk {
  readonly rows: readonly { readonly key: string; readonly isLatest: boolean }[];
  /** The size of each row's JSON in bytes. */
  readonly sizes: readonly number[];
  readonly digest: string;
  readonly content: Buffer;
  readonly isCompressed: boolean;
}

/** Pending chunks beyond this size are kept compressed. Most changes are smaller. */
const UNCOMPRESSED_BYTES = 4 * 1024 * 1024;
/** What a row of a pending chunk needs besides its JSON. */
const PENDING_ROW_BYTES = 150;

/**
 * Cuts incoming rows into chunks, reuses equal chunks of the previous snapshot, and stamps changed rows with a time.
 * Memory, work and written bytes grow with the change, not with the registry. Only compressed chunks are retained.
 */
export class SnapshotBuilder {
  /** The served snapshot, or `undefined` before the first one. */
  readonly previous: Manifest | undefined;
  readonly #reusable: ReadonlyMap<string, ManifestChunk>;
  /** The chunks of the new snapshot, in order. */
  readonly #pieces: (EncodedChunk | PendingChunk)[] = [];
  /** Digests of the chunks that both snapshots have. */
  readonly #kept = new Set<string>();
  readonly #newChunks: Blob[] = [];
  readonly #diff: DiffCollector;
  readonly #retained: RetainedBytes;
  readonly #cutter = new ChunkCutter();
  /** The rows since the last cut. */
  #tail: SizedRow[] = [];
  #rowCount = 0;
  #bytes = 0;
  #uncompressedBytes = 0;
  readonly #names = new NameCounter();

  constructor({
    previous,
    diff = new DiffCollector(),
    retained = new RetainedBytes(),
  }: {
    previous: Manifest | undefined;
    diff?: DiffCollector;
    retained?: RetainedBytes;
  }) {
    this.previous = previous;
    this.#diff = diff;
    this.#retained = retained;
    this.#reusable = new Map(previous?.chunks.map((chunk) => [chunk.contentDigest, chunk]));
  }

  /**
   * Adds rows.
   *
   * @param rows sorted by key, after all earlier rows, and with all versions of each name
   * @throws SynclineError `source-server-too-large`, `snapshot-too-large`, `run-out-of-memory`
   */
  push(rows: readonly ReadRow[]): void {
    const latest = latestFlags(rows);
    const sized = rows.map(({ key, json }, index) => ({
      key,
      json,
      isLatest: latest[index] === true,
      bytes: Buffer.byteLength(json),
    }));
    rejectLargeServers(sized);
    this.#push(sized);
  }

  /** Adds rows with known `isLatest`. @param rows sorted by key, after all earlier rows */
  pushMarked(rows: readonly MarkedRow[]): void {
    this.#push(rows.map((row) => ({ ...row, bytes: Buffer.byteLength(row.json) })));
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
    this.#addBytes(chunk.bytes ?? 0);
  }

  async finish(options: FinishOptions): Promise<BuiltSnapshot> {
    this.#endChunk();
    const { newestMs, attachments: known } = this.previous ?? EMPTY_MANIFEST;
    const stampMs = Math.max(options.nowMs, newestMs + 1);
    const replaced = this.#replacedRows(options.readChunks);
    const chunks: ManifestChunk[] = [];
    for (const piece of this.#pieces) {
      const chunk = 'rows' in piece ? await this.#finishPending(piece, replaced) : piece;
      chunks.push({ newestMs: stampMs, ...chunk });
    }
    await replaced.finish();
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

  #push(rows: readonly SizedRow[]): void {
    this.#names.add(rows);
    this.#rowCount += rows.length;
    for (const row of rows) {
      this.#tail.push(row);
      if (this.#cutter.add(row.key, row.bytes)) this.#endChunk();
    }
  }

  #keep(chunk: ManifestChunk): void {
    this.#kept.add(chunk.digest);
    this.#pieces.push(chunk);
  }

  /** @throws SynclineError `snapshot-too-large` */
  #addBytes(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes <= MAX_SNAPSHOT_BYTES) return;
    const message = `the rows of the registry are too large. The limit is ${MAX_SNAPSHOT_BYTES} bytes in total`;
    throw new SynclineError('snapshot-too-large', message);
  }

  #endChunk(): void {
    const rows = this.#tail;
    if (rows.length === 0) return;
    this.#tail = [];
    const content = chunkContent(rows);
    this.#addBytes(content.bytes.length);
    const known = this.#reusable.get(content.digest);
    if (known !== undefined) {
      this.#keep(known);
    } else if (this.previous === undefined) {
      // The rows of a first snapshot are not compared with others.
      for (const { key } of rows) this.#diff.count('added', key);
      const times = rows.map(() => ({ updatedAtMs: AS_CHUNK, firstSeenAtMs: AS_CHUNK }));
      this.#pieces.push(this.#encode(content, rows, times));
    } else {
      this.#pieces.push(this.#pending(content, rows));
    }
  }

  #pending({ bytes, digest }: ChunkContent, rows: readonly SizedRow[]): PendingChunk {
    const isCompressed = this.#uncompressedBytes + bytes.length > UNCOMPRESSED_BYTES;
    const content = isCompressed ? compressContent(bytes) : bytes;
    if (!isCompressed) this.#uncompressedBytes += bytes.length;
    this.#retained.add(content.length + PENDING_ROW_BYTES * rows.length);
    return {
      rows: rows.map(({ key, isLatest }) => ({ key, isLatest })),
      sizes: rows.map((row) => row.bytes),
      digest,
      content,
      isCompressed,
    };
  }

  /** Compares a chunk with the previous snapshot, and encodes it. */
  async #finishPending(
    { rows, sizes, digest, content, isCompressed }: PendingChunk,
    replaced: ReplacedRows,
  ): Promise<EncodedChunk> {
    const bytes = isCompressed ? decompressContent(content) : content;
    const times: RowTimes[] = [];
    const json = rowsOfContent(bytes, sizes);
    for (const row of rows) {
      times.push(await this.#stamp({ ...row, json: json.next().value ?? '' }, replaced));
    }
    const chunk = this.#encode({ bytes, digest }, rows, times);
    this.#retained.release(content.length + PENDING_ROW_BYTES * rows.length);
    const updatedMs = times.map(({ updatedAtMs }) => updatedAtMs);
    return updatedMs.includes(AS_CHUNK) ? chunk : { ...chunk, newestMs: Math.max(...updatedMs) };
  }

  #encode(
    content: ChunkContent,
    rows: readonly Pick<MarkedRow, 'key'>[],
    times: readonly RowTimes[],
  ): EncodedChunk {
    const blob = encodeChunk(content, times);
    this.#retained.add(blob.bytes.length);
    this.#newChunks.push(blob);
    return {
      firstKey: rows[0]?.key ?? '',
      count: rows.length,
      digest: blob.digest,
      contentDigest: content.digest,
      bytes: content.bytes.length,
    };
  }

  /** Returns the times of a row. A changed row gets the time of its chunk. */
  async #stamp(row: MarkedRow, replaced: ReplacedRows): Promise<RowTimes> {
    const { key, json, isLatest } = row;
    const old = await replaced.take(key);
    if (old === undefined) {
      this.#diff.count('added', key);
      return { updatedAtMs: AS_CHUNK, firstSeenAtMs: AS_CHUNK };
    }
    const before = { json: JSON.stringify(old.value), isLatest: old.isLatest };
    // The row is unchanged, but its chunk has other cuts.
    if (before.json === json && before.isLatest === isLatest) return old;
    this.#diff.countUpdate(key, { before, after: row });
    return { updatedAtMs: AS_CHUNK, firstSeenAtMs: old.firstSeenAtMs };
  }

  /** Returns the rows of the previous snapshot's chunks that the new snapshot does not have. */
  #replacedRows(readChunks: ReadChunks): ReplacedRows {
    const chunks = this.previous?.chunks.filter(({ digest }) => !this.#kept.has(digest)) ?? [];
    return new ReplacedRows(decodeInOrder(chunks, readChunks), (key) =>
      this.#diff.count('removed', key),
    );
  }
}

/** @throws SynclineError `source-server-too-large` */
function rejectLargeServers(rows: readonly SizedRow[]): void {
  let name: string | undefined;
  let total = 0;
  for (const { key, bytes } of rows) {
    const rowName = nameOfKey(key);
    total = rowName === name ? total + bytes : bytes;
    name = rowName;
    if (total <= MAX_SERVER_BYTES) continue;
    const message = `the versions of ${displayKey(name)} are too large. The limit is ${MAX_SERVER_BYTES} bytes in total`;
    throw new SynclineError('source-server-too-large', message);
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
