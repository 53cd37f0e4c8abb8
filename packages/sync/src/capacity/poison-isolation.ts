import { Semaphore, type SemaphoreSlot } from './semaphore.ts';

/**
 * Runs registries that may be poison one at a time in this process: if one of them ends the process, no other one
 * dies with it and is blamed as well.
 */
export class PoisonIsolation {
  readonly #turns = new Semaphore(1);
  readonly #waiting = new Set<string>();
  readonly #turnMs: number;

  /** @param options.turnMs how long one run excludes the others at most, counted from when it is admitted */
  constructor({ turnMs }: { turnMs: number }) {
    this.#turnMs = turnMs;
  }

  /** Returns whether a run of the registry waits for its turn. One is enough: it does what more would. */
  isWaiting(registry: string): boolean {
    return this.#waiting.has(registry);
  }

  /** Waits for the turn of the registry. Rejects with the reason of the signal if that is aborted before. */
  async enter(registry: string, signal: AbortSignal): Promise<SemaphoreSlot> {
    this.#waiting.add(registry);
    try {
      return await this.#turns.acquire(signal);
    } finally {
      this.#waiting.delete(registry);
    }
  }

  /** Passes the turn on after `turnMs`: a crash mostly comes soon, and a long run must not block all others. */
  limit(turn: SemaphoreSlot): Disposable {
    const timer = setTimeout(() => turn.release(), this.#turnMs);
    return {
      [Symbol.dispose]() {
        clearTimeout(timer);
        turn.release();
      },
    };
  }
}
