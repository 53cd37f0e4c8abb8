/** Blobs: compressed, and stored under their SHA-256. */
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { fnv1a, SynclineError, sha256 } from '@syncline/contract';
import { type JsonObject, type ReadRow, type StoredRow, toStoredRow } from '@syncline/rows';
import { z } from 'zod';
import type { Blob } from '../store.ts';

/** @param options.level default: that of zstd, 3 */
export function encodeBlob(
  content: string | Uint8Array,
  { level = constants.ZSTD_CLEVEL_DEFAULT }: { level?: number } = {},
): Blob {
  const params = { [constants.ZSTD_c_compressionLevel]: level };
  const bytes = withoutTermination(() => zstdCompressSync(content, { params }));
  return { digest: sha256(bytes), bytes };
}

/**
 * Decodes a blob after verifying its digest.
 *
 * @param options.what names the blob in errors
 * @param options.maxBytes a larger content is never one of ours
 * @throws SynclineError `snapshot-corrupt`
 */
export function decodeBlob<Schema extends z.ZodType>(
  { digest, bytes }: Blob,
  {
    what,
    schema,
    maxBytes,
    parse,
  }: { what: string; schema: Schema; maxBytes: number; parse: (content: Buffer) => unknown },
): z.output<Schema> {
  if (sha256(bytes) !== digest) {
    throw new SynclineError('snapshot-corrupt', `${what} ${digest} does not match its digest`);
  }
  try {
    const content = withoutTermination(() =>
      zstdDecompressSync(bytes, { maxOutputLength: maxBytes }),
    );
    return schema.parse(parse(content));
  } catch (cause) {
    const message = `${what} ${digest} is not in a format that this version knows`;
    throw new SynclineError('snapshot-corrupt', message, { cause });
  }
}

export function parseJsonContent(content: Buffer): unknown {
  return JSON.parse(content.toString('utf8'));
}

/**
 * Prevents that a worker thread is terminated while it constructs a zlib object. A thread and the code that may terminate
 * it share the lock.
 *
 * Node.js constructs such an object in two steps: `new binding.ZstdCompress()`, then `init()`. If `worker.terminate()`
 * takes effect between the two, the thread's cleanup destroys the object, and `CompressionStream::Close` in
 * `src/node_zlib.cc` fails its check `init_done_ && "close before init"`. That aborts the whole process. Node.js 24 is
 * affected, for all of zlib, Brotli and zstd. The lock can be removed once the test "threads that compress all the
 * time can be terminated" passes without the lock.
 *
 * It does not help if Node.js itself ends a thread because its heap is full.
 */
export type TerminationLock = Int32Array<SharedArrayBuffer>;

const FREE = 0;
const BUSY = 1;
const TERMINATING = 2;
/** The work under the lock takes milliseconds. A thread that died in it never releases the lock. */
const LONGEST_WAIT_MS = 5_000;

let ownLock: TerminationLock | undefined;

export function createTerminationLock(): TerminationLock {
  return new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
}

/** Makes this thread use the lock from now on. */
export function useTerminationLock(lock: TerminationLock): void {
  ownLock = lock;
}

/** Does work during which this thread is not terminated. Waits instead if the thread is about to be terminated. */
export function withoutTermination<Result>(work: () => Result): Result {
  // The main thread has no lock.
  if (ownLock === undefined) return work();
  const lock = ownLock;
  if (Atomics.compareExchange(lock, 0, FREE, BUSY) === TERMINATING) {
    Atomics.wait(lock, 0, TERMINATING);
  }
  try {
    return work();
  } finally {
    Atomics.store(lock, 0, FREE);
    Atomics.notify(lock, 0);
  }
}

/** Waits until the thread can be terminated. The thread then begins no more such work, and must be terminated. */
export async function claimTermination(lock: TerminationLock): Promise<void> {
  while (Atomics.compareExchange(lock, 0, FREE, TERMINATING) === BUSY) {
    const waiting = Atomics.waitAsync(lock, 0, BUSY, LONGEST_WAIT_MS);
    if ((await waiting.value) === 'timed-out') return;
  }
}

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
  const json = rows.flatMap((row, index) => (index === 0 ? [row.json] : [',', row.json]));
  const texts = ['"rows":[', ...json, `],"latest":[${latest}]`];
  const bytes = encodeTexts(texts);
  return { bytes, digest: sha256(bytes).slice(0, 32) };
}

/**
 * Returns texts in UTF-8, one after the other. Joined, they would all take two bytes for each character as soon as one of
 * them does.
 */
function encodeTexts(texts: readonly string[]): Buffer {
  const bytes = Buffer.allocUnsafe(texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0));
  let end = 0;
  for (const text of texts) end += bytes.write(text, end);
  return bytes;
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
