import type { Diff } from '@syncline/contract';
import { DIFF_SAMPLE_LIMIT } from '@syncline/contract';
import type { IngestedRow } from '../ingest/read-row.ts';
import { pickLatest } from '../latest.ts';
import type { Blob } from '../ports.ts';
import { chunkContentDigest, decodeChunk, encodeChunk, type StoredRow } from './chunk.ts';
import { chunkEnds } from './chunking.ts';
import { encodeManifest, type Manifest, type ManifestChunk } from './manifest.ts';
import { displayKey, sortKey } from './row-key.ts';

export interface BuildOptions {
  /** Sorted by key, each key once. */
  readonly rows: readonly IngestedRow[];
  /** What is served now; `undefined` for the first snapshot. */
  readonly previous: Manifest | undefined;
  /** When the new state was read, epoch milliseconds by the store's clock. */
  readonly nowMs: number;
  readonly skillCount: number;
  readonly pluginCount: number;
  /** Reads chunks of the previous snapshot. */
  readonly readChunks: (digests: readonly string[]) => Promise<Blob[]>;
}

/** A snapshot ready to be stored. */
export interface BuiltSnapshot {
  readonly manifest: Manifest;
  readonly manifestBlob: Blob;
  /** The chunks that the previous snapshot does not have. */
  readonly newChunks: readonly Blob[];
  readonly diff: Diff;
}

/**
 * Cuts rows into chunks, takes over those that the previous snapshot has, and stamps the rows that
 * differ from it. The work and the bytes written grow with the change, not with the registry.
 */
export async function buildSnapshot(options: BuildOptions): Promise<BuiltSnapshot> {
  const { rows, previous } = options;
  const stampMs = Math.max(options.nowMs, (previous?.newestMs ?? 0) + 1);
  const drafts = draftChunks(rows);

  const reusable = new Map(previous?.chunks.map((chunk) => [chunk.contentDigest, chunk]));
  const wanted = new Set(drafts.map(({ contentDigest }) => contentDigest));
  const replaced = [...reusable.values()].filter(({ contentDigest }) => !wanted.has(contentDigest));
  const before = await readRows(replaced, options.readChunks);

  const diff = new DiffCollector();
  const newChunks: Blob[] = [];
  const chunks = drafts.map((draft): ManifestChunk => {
    const kept = reusable.get(draft.contentDigest);
    if (kept !== undefined) return kept;
    const stamped = draft.rows.map((row) => stampRow(row, { before, stampMs, diff }));
    const blob = encodeChunk(stamped);
    newChunks.push(blob);
    return {
      firstKey: draft.firstKey,
      count: draft.rows.length,
      digest: blob.digest,
      contentDigest: draft.contentDigest,
      newestMs: stamped.reduce((newest, row) => Math.max(newest, row.updatedAtMs), 0),
    };
  });
  // What is left of the replaced chunks is in none of the new ones.
  for (const key of before.keys()) diff.count('removed', key);

  const manifest: Manifest = {
    rowCount: rows.length,
    serverCount: countNames(rows),
    skillCount: options.skillCount,
    pluginCount: options.pluginCount,
    newestMs: diff.isEmpty() ? (previous?.newestMs ?? stampMs) : stampMs,
    chunks,
  };
  return { manifest, manifestBlob: encodeManifest(manifest), newChunks, diff: diff.result() };
}

interface DraftRow extends Pick<StoredRow, 'json' | 'isLatest'> {
  readonly key: string;
}

interface DraftChunk {
  readonly firstKey: string;
  readonly rows: readonly DraftRow[];
  readonly contentDigest: string;
}

function draftChunks(rows: readonly IngestedRow[]): DraftChunk[] {
  const latest = latestFlags(rows);
  const drafts: DraftChunk[] = [];
  let start = 0;
  for (const end of chunkEnds(rows.map(({ key }) => key))) {
    const chunkRows = rows
      .slice(start, end)
      .map(({ key, json }, offset) => ({ key, json, isLatest: latest[start + offset] === true }));
    drafts.push({
      firstKey: chunkRows[0]?.key ?? '',
      rows: chunkRows,
      contentDigest: chunkContentDigest(chunkRows),
    });
    start = end;
  }
  return drafts;
}

/** Which rows are their name's latest: as upstream says where that is unambiguous, else by the rule. */
function latestFlags(rows: readonly IngestedRow[]): boolean[] {
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

async function readRows(
  chunks: readonly ManifestChunk[],
  readChunks: BuildOptions['readChunks'],
): Promise<Map<string, StoredRow>> {
  const rows = new Map<string, StoredRow>();
  if (chunks.length === 0) return rows;
  for (const blob of await readChunks(chunks.map(({ digest }) => digest))) {
    const chunk = decodeChunk(blob);
    for (const [index, value] of chunk.rows.entries()) {
      rows.set(rowKey(value), {
        json: JSON.stringify(value),
        isLatest: chunk.latest[index] === 1,
        updatedAtMs: chunk.updatedAt[index] ?? 0,
        firstSeenAtMs: chunk.firstSeenAt[index] ?? 0,
      });
    }
  }
  return rows;
}

function rowKey(value: Record<string, unknown>): string {
  // Rows were validated before they were stored, and the chunk's digest vouches for them since.
  const server = value['server'] as { name: string; version: string };
  return sortKey(server);
}

function stampRow(
  row: DraftRow,
  {
    before,
    stampMs,
    diff,
  }: { before: Map<string, StoredRow>; stampMs: number; diff: DiffCollector },
): StoredRow {
  const { key, json, isLatest } = row;
  const old = before.get(key);
  before.delete(key);
  if (old === undefined) {
    diff.count('added', key);
    return { json, isLatest, updatedAtMs: stampMs, firstSeenAtMs: stampMs };
  }
  // Unchanged, but in a chunk that was cut anew.
  if (old.json === json && old.isLatest === isLatest) return old;
  diff.count('updated', key);
  return { json, isLatest, updatedAtMs: stampMs, firstSeenAtMs: old.firstSeenAtMs };
}

function countNames(rows: readonly IngestedRow[]): number {
  let names = 0;
  for (const [index, { name }] of rows.entries()) if (name !== rows[index - 1]?.name) names += 1;
  return names;
}

type Change = 'added' | 'updated' | 'removed';

class DiffCollector {
  readonly #counts = { added: 0, updated: 0, removed: 0 };
  readonly #samples: Record<Change, string[]> = { added: [], updated: [], removed: [] };

  count(change: Change, key: string): void {
    this.#counts[change] += 1;
    if (this.#samples[change].length < DIFF_SAMPLE_LIMIT)
      this.#samples[change].push(displayKey(key));
  }

  isEmpty(): boolean {
    return this.#counts.added + this.#counts.updated + this.#counts.removed === 0;
  }

  result(): Diff {
    return { ...this.#counts, samples: this.#samples };
  }
}
