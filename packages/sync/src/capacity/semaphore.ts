/** One acquired slot of a {@link Semaphore}. */
export interface SemaphoreSlot {
  /** Gives the slot back. It may be called more than once. */
  release(): void;
}

/** A fixed number of slots, handed out in the order in which they were asked for. */
export class Semaphore {
  #free: number;
  readonly #waiting = new Set<() => void>();

  constructor(count: number) {
    this.#free = count;
  }

  /** How many callers wait for a slot. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Waits for a free slot. Rejects with the reason of the signal if that is aborted before. */
  async acquire(signal: AbortSignal): Promise<SemaphoreSlot> {
    signal.throwIfAborted();
    if (this.#free > 0) this.#free -= 1;
    else await this.#wait(signal);
    let isReleased = false;
    return {
      release: () => {
        if (!isReleased) this.#release();
        isReleased = true;
      },
    };
  }

  #wait(signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const onAbort = () => {
      this.#waiting.delete(onFree);
      reject(signal.reason);
    };
    const onFree = () => {
      signal.removeEventListener('abort', onAbort);
      resolve();
    };
    signal.addEventListener('abort', onAbort, { once: true });
    this.#waiting.add(onFree);
    return promise;
  }

  #release(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#free += 1;
      return;
    }
    this.#waiting.delete(next);
    next();
  }
}
