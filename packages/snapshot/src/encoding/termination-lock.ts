/**
 * Prevents that a worker thread is terminated while it constructs a zlib object.
 *
 * Node.js constructs such an object in two steps: `new binding.ZstdCompress()`, then `init()`. If `worker.terminate()`
 * takes effect between the two, the thread's cleanup destroys the object, and `CompressionStream::Close` in
 * `src/node_zlib.cc` fails its check `init_done_ && "close before init"`. That aborts the whole process. Node.js 24 is
 * affected, for all of zlib, Brotli and zstd. This file can be removed once the test "threads that compress all the
 * time can be terminated" passes without the lock.
 *
 * The lock does not help if Node.js itself ends a thread because its heap is full.
 */

/** Shared by a thread and the code that may terminate it. */
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
