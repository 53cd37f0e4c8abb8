import { Semaphore, type SemaphoreSlot } from './semaphore.ts';

/**
 * Runs registries that may be poison one at a time in this process. If one of them ends the process, no other such
 * registry dies with it.
 */
export class PoisonIsolation {
  readonly #turns = new Semaphore(1);
  readonly #waiting = new Set<string>();
  readonly #turnMs: number;

  /** @param options.turnMs how long one run excludes the others at most, from its admission; default 15,000 */
  constructor({ turnMs = 15_000 }: { turnMs?: number } = {}) {
    this.#turnMs = turnMs;
  }

  /** Returns whether a run of the registry waits for its turn. A second one need not wait too. */
  isWaiting(registry: string): boolean {
    return this.#waiting.has(registry);
  }

  /** Waits for the turn of the registry. Rejects with the signal's reason if it is aborted first. */
  async enter(registry: string, signal: AbortSignal): Promise<SemaphoreSlot> {
    this.#waiting.add(registry);
    try {
      return await this.#turns.acquire(signal);
    } finally {
      this.#waiting.delete(registry);
    }
  }

  /**
   * Releases the turn after `turnMs`: most crashes come soon, and a long run must not block all others.
   *
   * @returns what releases it at once
   */
  limit(turn: SemaphoreSlot): () => void {
    const timer = setTimeout(() => turn.release(), this.#turnMs);
    return () => {
      clearTimeout(timer);
      turn.release();
    };
  }
}
