import { onAbort } from '@syncline/contract';

/** One acquired slot of a {@link Semaphore}. */
export interface SemaphoreSlot {
  /** Releases the slot. A second call does nothing. */
  release(): void;
}

/** A fixed number of slots. Callers get slots in the order of their calls, but urgent callers go first. */
export class Semaphore {
  #free: number;
  /** The waiting callers, each with the time since when it waits, in monotonic milliseconds. */
  readonly #urgent = new Map<() => void, number>();
  readonly #waiting = new Map<() => void, number>();

  constructor(count: number) {
    this.#free = count;
  }

  /** How many callers wait for a slot. */
  get waiting(): number {
    return this.#urgent.size + this.#waiting.size;
  }

  /** How long the caller has waited that has waited longest. */
  get longestWaitMs(): number {
    const since = [...this.#urgent.values(), ...this.#waiting.values()];
    return since.length === 0 ? 0 : performance.now() - Math.min(...since);
  }

  /** Waits for a free slot. Rejects with the signal's reason if the signal is aborted first. */
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

  async #wait(signal: AbortSignal, queue: Map<() => void, number>): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    queue.set(resolve, performance.now());
    using _listening = onAbort(signal, () => {
      queue.delete(resolve);
      reject(signal.reason);
    });
    await promise;
  }

  #release(): void {
    const queue = this.#urgent.size > 0 ? this.#urgent : this.#waiting;
    const [next] = queue.keys();
    if (next === undefined) {
      this.#free += 1;
      return;
    }
    queue.delete(next);
    next();
  }
}

/**
 * Runs registries that may be poison one at a time in this process. If one ends the process, no other such registry
 * dies with it.
 */
export class PoisonIsolation {
  readonly #turns = new Semaphore(1);
  readonly #waiting = new Set<string>();
  readonly #turnMs: number;

  /** @param options.turnMs how long one run may exclude the others, from its admission; default 15,000 */
  constructor({ turnMs = 15_000 }: { turnMs?: number } = {}) {
    this.#turnMs = turnMs;
  }

  /** Returns whether a run of the registry is waiting for its turn. A second run need not wait too. */
  isWaiting(registry: string): boolean {
    return this.#waiting.has(registry);
  }

  /** Waits for the turn of the registry. Rejects with the signal's reason if the signal is aborted first. */
  async enter(registry: string, signal: AbortSignal): Promise<SemaphoreSlot> {
    this.#waiting.add(registry);
    try {
      return await this.#turns.acquire(signal);
    } finally {
      this.#waiting.delete(registry);
    }
  }

  /**
   * Releases the turn after `turnMs`, because most crashes come soon, and a long run must not block the others.
   *
   * @returns a function that releases the turn at once
   */
  limit(turn: SemaphoreSlot): () => void {
    const timer = setTimeout(() => turn.release(), this.#turnMs);
    return () => {
      clearTimeout(timer);
      turn.release();
    };
  }
}

/** Long enough for git and its child processes. Requests and threads end at once when their signal is aborted. */
const GRACE_MS = 3_000;

export interface OrLeaveOptions {
  readonly signal: AbortSignal;
  /** Called when the caller leaves the work behind. */
  readonly onLeft?: () => void;
  /** How long the work may take to end after an abort. Default: 3,000. */
  readonly graceMs?: number | undefined;
}

/**
 * Returns the result of the work. If the work does not end within the grace time after an abort, rejects with the
 * signal's reason. The work then continues in the background, and its result is lost.
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
 * Tracks work that ignores its abort signal, such as a file system call that never returns. Nothing can end such work.
 * The run ends without the work, and no other work for the same registry starts.
 */
export class HungWork {
  readonly #registries = new Set<string>();
  readonly #graceMs: number | undefined;

  /** @param options.graceMs how long work may take to end after an abort; default 3,000 */
  constructor({ graceMs }: { graceMs?: number | undefined } = {}) {
    this.#graceMs = graceMs;
  }

  /** Returns whether hung work for the registry still continues in this process. */
  has(registry: string): boolean {
    return this.#registries.has(registry);
  }

  /** Returns the result of the work. Rejects with the signal's reason if the work hangs after an abort. */
  watch<Result>(registry: string, work: Promise<Result>, signal: AbortSignal): Promise<Result> {
    const onLeft = () => {
      this.#registries.add(registry);
      const end = () => void this.#registries.delete(registry);
      work.then(end, end);
    };
    return orLeave(work, { signal, onLeft, graceMs: this.#graceMs });
  }
}
