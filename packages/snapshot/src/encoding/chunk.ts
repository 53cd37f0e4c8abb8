import { sha256 } from '@syncline/contract';
import { type JsonObject, type ReadRow, type StoredRow, toStoredRow } from '@syncline/rows';
import { z } from 'zod';
import type { Blob } from '../store.ts';
import { decodeBlob, encodeBlob, parseJsonContent } from './blob.ts';
import { fnv1a } from './fnv1a.ts';

const CHUNK_SCHEMA_VERSION = 1;
/** A chunk has at most 128 rows of at most 1 MiB. */
const MAX_CHUNK_BYTES = 256 * 1024 * 1024;

/** A row on its way into a chunk: what is compared between two states. */
export type MarkedRow = Pick<ReadRow, 'key' | 'json'> & Pick<StoredRow, 'isLatest'>;

/** What each run may change in a row that stays the same. */
export type RowTimes = Pick<StoredRow, 'updatedAtMs' | 'firstSeenAtMs'>;

/**
 * Stands for the time of the chunk, which is in the manifest. So a chunk can be encoded before it is known when its
 * snapshot will be published.
 */
export const AS_CHUNK = 0;

const chunkSchema = z.object({
  v: z.literal(CHUNK_SCHEMA_VERSION),
  // Not z.record, which copies, and drops a key `__proto__`.
  rows: z.array(z.custom<JsonObject>((row) => typeof row === 'object' && row !== null)),
  latest: z.array(z.literal([0, 1])),
  updatedAt: z.array(z.number()),
  firstSeenAt: z.array(z.number()),
});

/** The part of a chunk that came from upstream. */
export interface ChunkContent {
  /** UTF-8. */
  readonly bytes: Buffer;
  /** 128 bits of SHA-256: equal digests mean that no row has changed. */
  readonly digest: string;
}

export function chunkContent(rows: readonly Pick<MarkedRow, 'json' | 'isLatest'>[]): ChunkContent {
  const latest = rows.map(({ isLatest }) => (isLatest ? 1 : 0)).join(',');
  const json = rows.map((row) => row.json).join(',');
  const bytes = Buffer.from(`"rows":[${json}],"latest":[${latest}]`, 'utf8');
  return { bytes, digest: sha256(bytes).slice(0, 32) };
}

export function encodeChunk(content: ChunkContent, times: readonly RowTimes[]): Blob {
  const updatedAt = times.map(({ updatedAtMs }) => updatedAtMs).join(',');
  const firstSeenAt = times.map(({ firstSeenAtMs }) => firstSeenAtMs).join(',');
  return encodeBlob(
    Buffer.concat([
      Buffer.from(`{"v":${CHUNK_SCHEMA_VERSION},`),
      content.bytes,
      Buffer.from(`,"updatedAt":[${updatedAt}],"firstSeenAt":[${firstSeenAt}]}`),
    ]),
    // The next levels take half as long again, and save a fiftieth.
    { level: 1 },
  );
}

/** Decodes a chunk into parallel lists, one entry a row. @throws SynclineError `snapshot-corrupt` */
export function decodeChunk(blob: Blob): z.output<typeof chunkSchema> {
  return decodeBlob(blob, {
    what: 'chunk',
    schema: chunkSchema,
    maxBytes: MAX_CHUNK_BYTES,
    parse: parseJsonContent,
  });
}

/**
 * Returns the rows of a chunk, in order.
 *
 * @param chunk.newestMs of the chunk, in its manifest
 * @throws SynclineError `snapshot-corrupt`
 */
export function decodeRows(blob: Blob, { newestMs }: { newestMs: number }): StoredRow[] {
  const chunk = decodeChunk(blob);
  const time = (atMs = AS_CHUNK) => (atMs === AS_CHUNK ? newestMs : atMs);
  return chunk.rows.flatMap((value, index) => {
    const row = toStoredRow(value, {
      isLatest: chunk.latest[index] === 1,
      updatedAtMs: time(chunk.updatedAt[index]),
      firstSeenAtMs: time(chunk.firstSeenAt[index]),
    });
    return row ?? [];
  });
}

/** The fewest rows of a chunk, but for the last one. */
export const LEAST_ROWS = 32;
export const MOST_ROWS = 128;
/** One key in this many ends a chunk. With {@link LEAST_ROWS} before it, chunks have 64 rows on average. */
const CUT_ONE_IN = 32;

/**
 * Returns where sorted keys are cut into chunks: the index after each chunk. Keys after the last cut continue with the
 * keys that follow. A cut depends only on the key before it and on the distance to the last cut: a new or removed row
 * moves only the cuts around it, and every worker cuts the same rows the same way.
 */
export function chunkCuts(keys: readonly string[]): number[] {
  const cuts: number[] = [];
  let start = 0;
  for (const [index, key] of keys.entries()) {
    const length = index + 1 - start;
    if (length < LEAST_ROWS) continue;
    if (length < MOST_ROWS && fnv1a(key) % CUT_ONE_IN !== 0) continue;
    start = index + 1;
    cuts.push(start);
  }
  return cuts;
}
