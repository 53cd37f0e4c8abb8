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
