import type { Diff } from '@syncline/contract';
import { type IngestedRow, nameOfKey, pickLatest } from '@syncline/rows';
import { DiffCollector } from './diff-collector.ts';
import { type Attachment, type AttachmentDraft, attach } from './encoding/attachment.ts';
import {
  AS_CHUNK,
  type ChunkContent,
  chunkContent,
  encodeChunk,
  type StoredRow,
} from './encoding/chunk.ts';
import { chunkCuts } from './encoding/chunking.ts';
import { encodeManifest, type Manifest, type ManifestChunk } from './encoding/manifest.ts';
import { decodeRows } from './encoding/stored-row.ts';
import type { Blob } from './store.ts';

/** A snapshot ready to be stored. */
export interface BuiltSnapshot {
  readonly manifest: Manifest;
  readonly manifestBlob: Blob;
  /** The chunks, and attachments, that the previous snapshot does not have. */
  readonly newChunks: readonly Blob[];
  readonly diff: Diff;
}

export interface FinishOptions {
  /** Epoch milliseconds by the store's clock: what rows that differ from before are stamped with. */
  readonly nowMs: number;
  /** Rows that were read, before the filter. */
  readonly sourceRowCount: number;
  readonly skillCount: number;
  readonly pluginCount: number;
  /** Of the chunks that were {@link SnapshotBuilder.keep kept}: how many names they have that were not pushed. */
  readonly keptServerCount?: number;
  /** What the registry has besides servers. */
  readonly attachments?: readonly (AttachmentDraft | Attachment)[] | undefined;
  /** Which mirror this is a view of, and by which filter. */
  readonly origin?: Pick<Manifest, 'mirror' | 'filterHash'>;
  /** Reads chunks of the previous snapshot. */
  readonly readChunks: (digests: readonly string[]) => Promise<Blob[]>;
}

/** A row on its way into a snapshot. */
export interface DraftRow extends Pick<StoredRow, 'json' | 'isLatest'> {
  readonly key: string;
}

/** A chunk of the new snapshot, as far as it is known. */
type Piece =
  /** The previous snapshot has it. */
  | { readonly state: 'kept'; readonly chunk: ManifestChunk }
  /** All its rows are new. */
  | { readonly state: 'encoded'; readonly chunk: Omit<ManifestChunk, 'newestMs'> }
  /** Whether its rows are new, changed or only cut anew takes the old ones to tell. */
  | {
      readonly state: 'draft';
      readonly content: ChunkContent;
      readonly rows: readonly DraftRow[];
    };

/**
 * Cuts rows into chunks while they come, takes over those that the previous snapshot has, and stamps the
 * rows that differ from it. The memory needed, the work and the bytes written grow with the change, not
 * with the registry.
 */
export class SnapshotBuilder {
  readonly #previous: Manifest | undefined;
  readonly #reusable: ReadonlyMap<string, ManifestChunk>;
  readonly #pieces: Piece[] = [];
  readonly #newChunks: Blob[] = [];
  readonly #diff: DiffCollector;
  /** Rows since the last cut. */
  #tail: DraftRow[] = [];
  #rowCount = 0;
  #serverCount = 0;
  #lastName: string | undefined;

  /** @param options.previous what is served now; `undefined` for the first snapshot */
  constructor({
    previous,
    diff = new DiffCollector(),
  }: {
    previous: Manifest | undefined;
    diff?: DiffCollector;
  }) {
    this.#previous = previous;
    this.#diff = diff;
    this.#reusable = new Map(previous?.chunks.map((chunk) => [chunk.contentDigest, chunk]));
  }

  /** @param rows sorted by key, after all that were pushed before, and with all versions of each name */
  push(rows: readonly IngestedRow[]): void {
    const latest = latestFlags(rows);
    this.pushDrafts(
      rows.map(({ key, json }, index) => ({ key, json, isLatest: latest[index] === true })),
    );
  }

  /** @param rows sorted by key, after all that came before */
  pushDrafts(rows: readonly DraftRow[]): void {
    for (const row of rows) {
      this.#tail.push(row);
      const name = nameOfKey(row.key);
      if (name !== this.#lastName) this.#serverCount += 1;
      this.#lastName = name;
    }
    this.#rowCount += rows.length;
    this.#cut({ isEnd: false });
  }

  /** Rows so far, those of kept chunks too. */
  get rowCount(): number {
    return this.#rowCount;
  }

  /** Whether the next row begins a chunk. */
  get isAtCut(): boolean {
    return this.#tail.length === 0;
  }

  /**
   * Takes over a chunk of the previous snapshot as it is, without a look at its rows. Only where
   * {@link isAtCut}; its names count by `keptServerCount`.
   */
  keep(chunk: ManifestChunk): void {
    this.#pieces.push({ state: 'kept', chunk });
    this.#rowCount += chunk.count;
  }

  async finish(options: FinishOptions): Promise<BuiltSnapshot> {
    this.#cut({ isEnd: true });
    const previous = this.#previous;
    const before = await this.#readReplaced(options.readChunks);
    const stampMs = Math.max(options.nowMs, (previous?.newestMs ?? 0) + 1);
    const chunks = this.#pieces.map((piece) => this.#finishPiece(piece, { before, stampMs }));
    // What is left of the replaced chunks is in none of the new ones.
    for (const key of before.keys()) this.#diff.count('removed', key);
    const { attachments, newBlobs } = attach(options.attachments ?? [], previous?.attachments);
    const manifest: Manifest = {
      rowCount: this.#rowCount,
      sourceRowCount: options.sourceRowCount,
      serverCount: this.#serverCount + (options.keptServerCount ?? 0),
      skillCount: options.skillCount,
      pluginCount: options.pluginCount,
      newestMs: this.#diff.isEmpty() ? (previous?.newestMs ?? stampMs) : stampMs,
      chunks,
      ...(attachments.length === 0 ? {} : { attachments }),
      ...options.origin,
    };
    const manifestBlob = encodeManifest(manifest);
    const newChunks = [...this.#newChunks, ...newBlobs];
    return { manifest, manifestBlob, newChunks, diff: this.#diff.result() };
  }

  #cut({ isEnd }: { isEnd: boolean }): void {
    const cuts = chunkCuts(this.#tail.map(({ key }) => key));
    // What comes after the last cut may go on with the rows to come.
    if (isEnd && (cuts.at(-1) ?? 0) < this.#tail.length) cuts.push(this.#tail.length);
    let start = 0;
    for (const end of cuts) {
      this.#pieces.push(this.#piece(this.#tail.slice(start, end)));
      start = end;
    }
    this.#tail = this.#tail.slice(start);
  }

  #piece(rows: readonly DraftRow[]): Piece {
    const content = chunkContent(rows);
    const kept = this.#reusable.get(content.digest);
    if (kept !== undefined) return { state: 'kept', chunk: kept };
    if (this.#previous !== undefined) return { state: 'draft', content, rows };
    for (const { key } of rows) this.#diff.count('added', key);
    const times = rows.map(() => ({ updatedAtMs: AS_CHUNK, firstSeenAtMs: AS_CHUNK }));
    return { state: 'encoded', chunk: this.#encode({ content, rows, times }) };
  }

  #finishPiece(piece: Piece, context: StampContext): ManifestChunk {
    switch (piece.state) {
      case 'kept':
        return piece.chunk;
      case 'encoded':
        return { ...piece.chunk, newestMs: context.stampMs };
      case 'draft': {
        const stamped = piece.rows.map((row) => this.#stamp(row, context));
        const newestMs = stamped.reduce(
          (newest, { updatedAtMs }) =>
            Math.max(newest, updatedAtMs === AS_CHUNK ? context.stampMs : updatedAtMs),
          0,
        );
        return { ...this.#encode({ ...piece, times: stamped }), newestMs };
      }
    }
  }

  #encode({ content, rows, times }: EncodeInput): Omit<ManifestChunk, 'newestMs'> {
    const blob = encodeChunk(content, times);
    this.#newChunks.push(blob);
    return {
      firstKey: rows[0]?.key ?? '',
      count: rows.length,
      digest: blob.digest,
      contentDigest: content.digest,
    };
  }

  #stamp(row: DraftRow, { before, stampMs }: StampContext): StoredRow {
    const { key, json, isLatest } = row;
    const old = before.get(key);
    before.delete(key);
    if (old === undefined) {
      this.#diff.count('added', key);
      return { json, isLatest, updatedAtMs: AS_CHUNK, firstSeenAtMs: stampMs };
    }
    // Unchanged, but in a chunk that was cut anew.
    if (old.json === json && old.isLatest === isLatest) return old;
    this.#diff.countUpdate(key, { before: old, after: row });
    return { json, isLatest, updatedAtMs: AS_CHUNK, firstSeenAtMs: old.firstSeenAtMs };
  }

  /** The rows of those chunks of the previous snapshot that are not in this one. */
  async #readReplaced(readChunks: FinishOptions['readChunks']): Promise<Map<string, StoredRow>> {
    const kept = new Set(
      this.#pieces.map((piece) => (piece.state === 'kept' ? piece.chunk.digest : undefined)),
    );
    const replaced = this.#previous?.chunks.filter(({ digest }) => !kept.has(digest)) ?? [];
    const rows = new Map<string, StoredRow>();
    if (replaced.length === 0) return rows;
    const blobs = await readChunks(replaced.map(({ digest }) => digest));
    for (const [index, blob] of blobs.entries()) {
      readStoredRows(blob, { newestMs: replaced[index]?.newestMs ?? 0, into: rows });
    }
    return rows;
  }
}

interface EncodeInput {
  readonly content: ChunkContent;
  readonly rows: readonly DraftRow[];
  readonly times: readonly Pick<StoredRow, 'updatedAtMs' | 'firstSeenAtMs'>[];
}

interface StampContext {
  readonly before: Map<string, StoredRow>;
  readonly stampMs: number;
}

/** Reads a chunk's rows by their sort keys, all times filled in. */
function readStoredRows(
  blob: Blob,
  { newestMs, into }: { newestMs: number; into: Map<string, StoredRow> },
): void {
  for (const { key, value, ...row } of decodeRows(blob, { newestMs })) {
    into.set(key, { json: JSON.stringify(value), ...row });
  }
}

/** What decides which of a name's rows is its latest. */
export type LatestCandidate = Pick<
  IngestedRow,
  'name' | 'version' | 'status' | 'publishedAt' | 'isLatest'
>;

/** Which rows are their name's latest: as upstream says where that is unambiguous, else by the rule. */
export function latestFlags(rows: readonly LatestCandidate[]): boolean[] {
  const flags: boolean[] = new Array(rows.length).fill(false);
  for (let start = 0; start < rows.length; ) {
    let end = start + 1;
    while (end < rows.length && rows[end]?.name === rows[start]?.name) end += 1;
    const versions = rows.slice(start, end);
    const claimed = versions.filter(({ isLatest }) => isLatest === true);
    const candidates = claimed.length === 0 ? versions : claimed;
    const latest = candidates[pickLatest(candidates)];
    if (latest !== undefined) flags[start + versions.indexOf(latest)] = true;
    start = end;
  }
  return flags;
}
