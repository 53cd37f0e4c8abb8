/**
 * Keeps threads from being ended at a bad moment. Node aborts the whole process where a thread is ended while
 * it makes a zlib object: "close before init", in `node_zlib.cc`. What Node ends by itself, for want of memory,
 * cannot be kept from it.
 */

/** Shared by a thread, and by whoever may end it. */
export type EndLock = Int32Array<SharedArrayBuffer>;

const FREE = 0;
const BUSY = 1;
const ENDING = 2;
/** What is done undisturbed takes milliseconds; a thread that died meanwhile never says that it is done. */
const LONGEST_WAIT_MS = 5_000;

let ownLock: EndLock | undefined;

export function createEndLock(): EndLock {
  return new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
}

/** Has this thread respect a lock from now on. */
export function respect(lock: EndLock): void {
  ownLock = lock;
}

/** Does work in the middle of which this thread is not ended; where it is to be ended, waits for that. */
export function undisturbed<Result>(work: () => Result): Result {
  // The main thread.
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

/** Waits until the thread can be ended, and keeps it there: it must be ended then. */
export async function claimEnd(lock: EndLock): Promise<void> {
  while (Atomics.compareExchange(lock, 0, FREE, ENDING) === BUSY) {
    const waiting = Atomics.waitAsync(lock, 0, BUSY, LONGEST_WAIT_MS);
    if ((await waiting.value) === 'timed-out') return;
  }
}
