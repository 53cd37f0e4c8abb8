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

/** Requests and threads end at once with their signal, git and its child processes within some seconds. */
const GRACE_MS = 3_000;

export interface OrLeaveOptions {
  readonly signal: AbortSignal;
  /** Called if the work is left behind. */
  readonly onLeft?: () => void;
  /** How long the work has after an abort to end by itself. Default: 3,000. */
  readonly graceMs?: number | undefined;
}

/**
 * Returns the result of the work. Rejects with the signal's reason if the work has not ended some time after an abort.
 * That work is left behind: it goes on, and its result is dropped.
 */
export async function orLeave<Result>(
  work: Promise<Result>,
  { signal, onLeft, graceMs = GRACE_MS }: OrLeaveOptions,
): Promise<Result> {
  const left = Promise.withResolvers<never>();
  let timer: NodeJS.Timeout | undefined;
  using _listening = onAbort(signal, () => {
    timer = setTimeout(() => {
      onLeft?.();
      left.reject(signal.reason);
    }, graceMs);
  });
  try {
    return await Promise.race([work, left.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Work that ignores its abort signal: a call to a file system that never returns, a promise that is never settled.
 * Nothing can end such work. Its run ends without it, and no further work of the same registry begins.
 */
export class HungWork {
  readonly #registries = new Set<string>();
  readonly #graceMs: number | undefined;

  /** @param options.graceMs how long work has after its signal to end by itself; default 3,000 */
  constructor({ graceMs }: { graceMs?: number | undefined } = {}) {
    this.#graceMs = graceMs;
  }

  /** Returns whether work for the registry was left behind in this process and still goes on. */
  has(registry: string): boolean {
    return this.#registries.has(registry);
  }

  /** Returns the result of the work. Rejects with the reason of the signal if the work was left behind. */
  watch<Result>(registry: string, work: Promise<Result>, signal: AbortSignal): Promise<Result> {
    const onLeft = () => {
      this.#registries.add(registry);
      const end = () => void this.#registries.delete(registry);
      work.then(end, end);
    };
    return orLeave(work, { signal, onLeft, graceMs: this.#graceMs });
  }
}
