import { onAbort } from '@syncline/contract';

/** One acquired slot of a {@link Semaphore}. */
export interface SemaphoreSlot {
  /** May be called more than once. */
  release(): void;
}

/** A fixed number of slots. Callers get them in the order of their calls, urgent callers first. */
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

  /** Waits for a free slot. Rejects with the signal's reason if it is aborted first. */
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

  async #wait(signal: AbortSignal, queue: Set<() => void>): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    queue.add(resolve);
    using _listening = onAbort(signal, () => {
      queue.delete(resolve);
      reject(signal.reason);
    });
    await promise;
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
