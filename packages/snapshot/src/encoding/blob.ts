/** Blobs: compressed, and stored under their SHA-256. */
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { SynclineError, sha256 } from '@syncline/contract';
import type { z } from 'zod';
import type { Blob } from '../store.ts';

/** @param options.level default: that of zstd, 3 */
export function encodeBlob(
  content: string | Uint8Array,
  { level = constants.ZSTD_CLEVEL_DEFAULT }: { level?: number } = {},
): Blob {
  const params = { [constants.ZSTD_c_compressionLevel]: level };
  const bytes = undisturbed(() => zstdCompressSync(content, { params }));
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
    const content = undisturbed(() => zstdDecompressSync(bytes, { maxOutputLength: maxBytes }));
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
 * Shared by a thread and by whoever may end it. If a thread is ended while it makes a zlib object, Node aborts the whole
 * process: "close before init", in `node_zlib.cc`. A thread that Node ends for want of memory is not protected.
 */
export type EndLock = Int32Array<SharedArrayBuffer>;

const FREE = 0;
const BUSY = 1;
const ENDING = 2;
/** Compression takes milliseconds; a thread that died in it never frees its lock. */
const LONGEST_WAIT_MS = 5_000;

let ownLock: EndLock | undefined;

export function createEndLock(): EndLock {
  return new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
}

/** Makes this thread respect a lock from now on. */
export function respect(lock: EndLock): void {
  ownLock = lock;
}

/** Does work during which this thread is not ended. If the thread is about to be ended, waits for that. */
export function undisturbed<Result>(work: () => Result): Result {
  // The main thread has no lock.
  if (ownLock === undefined) return work();
  const lock = ownLock;
  if (Atomics.compareExchange(lock, 0, FREE, BUSY) === ENDING) Atomics.wait(lock, 0, ENDING);
  try {
    return work();
  } finally {
    Atomics.store(lock, 0, FREE);
    Atomics.notify(lock, 0);
  }
}

/** Waits until the thread can be ended, and stops it there. The caller must end it then. */
export async function claimEnd(lock: EndLock): Promise<void> {
  while (Atomics.compareExchange(lock, 0, FREE, ENDING) === BUSY) {
    const waiting = Atomics.waitAsync(lock, 0, BUSY, LONGEST_WAIT_MS);
    if ((await waiting.value) === 'timed-out') return;
  }
}
