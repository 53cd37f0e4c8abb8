/** Encodes and decodes blobs, which are compressed and stored under their SHA-256. */
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { SynclineError, sha256 } from '@syncline/contract';
import {
  type JsonObject,
  MAX_ROW_BYTES,
  type ReadRow,
  type StoredRow,
  toStoredRow,
} from '@syncline/rows';
import { z } from 'zod';
import type { Blob } from '../store.ts';
import { MOST_ROWS } from './chunk-cutter.ts';

/** Returns a compressed blob. @param options.level default: 3, the default of zstd */
export function encodeBlob(
  content: string | Uint8Array,
  { level = constants.ZSTD_CLEVEL_DEFAULT }: { level?: number } = {},
): Blob {
  const bytes = compress(content, level);
  return { digest: sha256(bytes), bytes };
}

function compress(content: string | Uint8Array, level: number): Buffer {
  const params = { [constants.ZSTD_c_compressionLevel]: level };
  return withoutTermination(() => zstdCompressSync(content, { params }));
}

/**
 * Decodes a blob after verifying its digest.
 *
 * @param options.what names the blob in errors
 * @param options.maxBytes Syncline never stores more content than this
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
    const message = `this version cannot read the format of ${what} ${digest}`;
    throw new SynclineError('snapshot-corrupt', message, { cause });
  }
}

export function parseJsonContent(content: Buffer): unknown {
  return JSON.parse(content.toString('utf8'));
}

/**
 * Prevents the termination of a worker thread while the thread constructs a zlib object. The thread and the code that
 * may terminate it share the lock.
 *
 * Node.js constructs a zlib object in two steps: `new binding.ZstdCompress()`, then `init()`. If `worker.terminate()`
 * takes effect between the two steps, the thread's cleanup destroys the object. `CompressionStream::Close` in
 * `src/node_zlib.cc` then fails its check `init_done_ && "close before init"`, which aborts the whole process. The bug
 * affects Node.js 24, with zlib, Brotli and zstd. The lock can be removed if the test "threads that compress all the
 * time can be terminated" passes without the lock.
 *
 * The lock does not help if Node.js itself ends a thread because its heap is full.
 */
export type TerminationLock = Int32Array<SharedArrayBuffer>;

const FREE = 0;
const BUSY = 1;
const TERMINATING = 2;
/** Work under the lock takes milliseconds. A thread that dies during the work never releases the lock. */
const LONGEST_WAIT_MS = 5_000;

let ownLock: TerminationLock | undefined;

export function createTerminationLock(): TerminationLock {
  return new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
}

/** Makes this thread use the lock. */
export function useTerminationLock(lock: TerminationLock): void {
  ownLock = lock;
}

/** Runs work that no termination of this thread can interrupt. Blocks if another thread has claimed the termination. */
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

/** Waits until the thread can be terminated. The caller must then terminate it, because it starts no more work. */
export async function claimTermination(lock: TerminationLock): Promise<void> {
  while (Atomics.compareExchange(lock, 0, FREE, TERMINATING) === BUSY) {
    const waiting = Atomics.waitAsync(lock, 0, BUSY, LONGEST_WAIT_MS);
    if ((await waiting.value) === 'timed-out') return;
  }
}

const CHUNK_SCHEMA_VERSION = 1;
/** Earlier versions limited only the number of rows in a chunk. The rows' times need little. */
const MAX_CHUNK_BYTES = MOST_ROWS * MAX_ROW_BYTES + 1024 * 1024;

/** The fields of a row that Syncline compares between two snapshots. */
export type MarkedRow = Pick<ReadRow, 'key' | 'json'> & Pick<StoredRow, 'isLatest'>;

/** Times that may change even if the row stays the same. */
export type RowTimes = Pick<StoredRow, 'updatedAtMs' | 'firstSeenAtMs'>;

/**
 * Means the chunk's own time, which is in the manifest. With it, Syncline can encode a chunk before it knows the time
 * of the publication.
 */
export const AS_CHUNK = 0;

const chunkSchema = z.object({
  v: z.literal(CHUNK_SCHEMA_VERSION),
  // z.record would copy the row, and would drop a key `__proto__`.
  rows: z.array(z.custom<JsonObject>((row) => typeof row === 'object' && row !== null)),
  latest: z.array(z.literal([0, 1])),
  updatedAt: z.array(z.number()),
  firstSeenAt: z.array(z.number()),
});

/** The part of a chunk that comes from the upstream. */
export interface ChunkContent {
  /** The content in UTF-8. */
  readonly bytes: Buffer;
  /** 128 bits of SHA-256. Equal digests mean equal rows. */
  readonly digest: string;
}

const CONTENT_START = '"rows":[';
// The next levels take 50% longer, and save only 2%.
const CHUNK_LEVEL = 1;

export function chunkContent(rows: readonly Pick<MarkedRow, 'json' | 'isLatest'>[]): ChunkContent {
  const latest = rows.map(({ isLatest }) => (isLatest ? 1 : 0)).join(',');
  const json = rows.flatMap((row, index) => (index === 0 ? [row.json] : [',', row.json]));
  const texts = [CONTENT_START, ...json, `],"latest":[${latest}]`];
  const bytes = encodeTexts(texts);
  return { bytes, digest: sha256(bytes).slice(0, 32) };
}

/** Returns the JSON of each row in the content of a chunk. @param sizes the size of each row in bytes */
export function* rowsOfContent(bytes: Buffer, sizes: readonly number[]): Generator<string> {
  let start = CONTENT_START.length;
  for (const size of sizes) {
    yield bytes.toString('utf8', start, start + size);
    start += size + 1;
  }
}

/** Compresses the content of a chunk until the chunk is encoded. */
export function compressContent(bytes: Buffer): Buffer {
  return compress(bytes, CHUNK_LEVEL);
}

export function decompressContent(compressed: Buffer): Buffer {
  return withoutTermination(() => zstdDecompressSync(compressed));
}

/**
 * Returns the concatenated texts in UTF-8. Joining them first would take two bytes for each character if any character
 * needs two.
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
    { level: CHUNK_LEVEL },
  );
}

/**
 * Decodes a chunk into parallel lists, with one entry per row.
 *
 * @param onContent called with the decompressed JSON, before it is parsed
 * @throws SynclineError `snapshot-corrupt`
 */
export function decodeChunk(
  blob: Blob,
  onContent?: (json: Buffer) => void,
): z.output<typeof chunkSchema> {
  return decodeBlob(blob, {
    what: 'chunk',
    schema: chunkSchema,
    maxBytes: MAX_CHUNK_BYTES,
    parse: (json) => {
      onContent?.(json);
      return parseJsonContent(json);
    },
  });
}

/**
 * Returns the rows of a chunk, in order.
 *
 * @param options.newestMs the chunk's time in the manifest
 * @param options.onContent see {@link decodeChunk}
 * @throws SynclineError `snapshot-corrupt`
 */
export function decodeRows(
  blob: Blob,
  { newestMs, onContent }: { newestMs: number; onContent?: (json: Buffer) => void },
): StoredRow[] {
  const chunk = decodeChunk(blob, onContent);
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
