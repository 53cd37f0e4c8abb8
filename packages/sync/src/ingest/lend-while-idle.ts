import type { Slot } from '@syncline/sources';

/** An upstream that is silent for so long may be so for as long as its timeout lets it. */
const IDLE_AFTER_MS = 2_000;
const LOOK_EVERY_MS = 500;

export interface LendOptions {
  readonly slot: Slot;
  /** What has been received so far. */
  readonly receivedBytes: () => number;
  readonly signal: AbortSignal;
}

/** A slot that others may have while its run only waits for its upstream. */
export interface LendingSlot extends Disposable {
  /** Does work that needs the slot, once it is back. */
  use<Result>(work: () => Promise<Result>): Promise<Result>;
}

/** Lends the slot whenever nothing was received, and nothing done, for a while. */
export function lendWhileIdle({ slot, receivedBytes, signal }: LendOptions): LendingSlot {
  let isAtWork = false;
  let knownBytes = receivedBytes();
  let lastNewsAtMs = performance.now();
  const timer = setInterval(() => {
    const bytes = receivedBytes();
    const nowMs = performance.now();
    if (isAtWork || bytes !== knownBytes) {
      knownBytes = bytes;
      lastNewsAtMs = nowMs;
    } else if (nowMs - lastNewsAtMs >= IDLE_AFTER_MS) {
      slot.lend();
    }
  }, LOOK_EVERY_MS);
  return {
    async use(work) {
      isAtWork = true;
      try {
        await slot.takeBack(signal);
        return await work();
      } finally {
        isAtWork = false;
        lastNewsAtMs = performance.now();
      }
    },
    [Symbol.dispose]: () => clearInterval(timer),
  };
}
