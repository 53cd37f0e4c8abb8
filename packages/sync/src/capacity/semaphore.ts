/** One acquired slot of a {@link Semaphore}. */
export interface SemaphoreSlot {
  /** Gives the slot back. It may be called more than once. */
  release(): void;
}

/** A fixed number of slots, handed out in the order in which they were asked for; to urgent callers first. */
export class Semaphore {
  #free: number;
  readonly #urgent = new Set<() => void>();
  readonly #waiting = new Set<() => void>();

  constructor(count: number) {
    this.#free = count;
  }

  /** How many callers wait for a slot. */
  get waiting(): number {
    return this.#urgent.size + this.#waiting.size;
  }

  /** Waits for a free slot. Rejects with the reason of the signal if that is aborted before. */
  async acquire(
    signal: AbortSignal,
    { isUrgent = false }: { isUrgent?: boolean } = {},
  ): Promise<SemaphoreSlot> {
    signal.throwIfAborted();
    if (this.#free > 0) this.#free -= 1;
    else await this.#wait(signal, isUrgent ? this.#urgent : this.#waiting);
    let isReleased = false;
    return {
      release: () => {
        if (!isReleased) this.#release();
        isReleased = true;
      },
    };
  }

  #wait(signal: AbortSignal, queue: Set<() => void>): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const onAbort = () => {
      queue.delete(onFree);
      reject(signal.reason);
    };
    const onFree = () => {
      signal.removeEventListener('abort', onAbort);
      resolve();
    };
    signal.addEventListener('abort', onAbort, { once: true });
    queue.add(onFree);
    return promise;
  }

  #release(): void {
    const queue = this.#urgent.size > 0 ? this.#urgent : this.#waiting;
    const [next] = queue;
    if (next === undefined) {
      this.#free += 1;
      return;
    }
    queue.delete(next);
    next();
  }
}
