import { onAbort } from '@syncline/contract';

/** The right to do heavy work. */
export interface Slot {
  /**
   * Lets others have it for a while, unless so many are lent that the memory of their runs might not
   * suffice.
   *
   * @returns whether it is lent
   */
  lend(): boolean;
  /** Has it back, as soon as one is free, where it is lent. Rejects with the signal's reason when it is aborted. */
  takeBack(signal: AbortSignal): Promise<void>;
  /** Gives it back for good; any number of times. */
  release(): void;
}

/** A fixed number of slots, handed out in the order they were asked for. */
export class Slots {
  readonly maxLent: number;
  #free: number;
  #lent = 0;
  readonly #waiting = new Set<() => void>();

  /** @param options.maxLent how many may be lent at once; default 0 */
  constructor(count: number, { maxLent = 0 }: { maxLent?: number } = {}) {
    this.#free = count;
    this.maxLent = maxLent;
  }

  /** A slot, if one is free now. */
  tryTake(): Slot | undefined {
    if (this.#free === 0) return undefined;
    this.#free -= 1;
    return this.#slot();
  }

  /** A slot, as soon as one is free. Rejects with the signal's reason when it is aborted. */
  async take(signal: AbortSignal): Promise<Slot> {
    await this.#place(signal);
    return this.#slot();
  }

  #place(signal: AbortSignal): Promise<void> {
    if (this.#free > 0) {
      this.#free -= 1;
      return Promise.resolve();
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting.add(onPlace);
    const listening = onAbort(signal, () => {
      this.#waiting.delete(onPlace);
      reject(signal.reason);
    });
    function onPlace() {
      listening[Symbol.dispose]();
      resolve();
    }
    return promise;
  }

  #freePlace(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#free += 1;
      return;
    }
    this.#waiting.delete(next);
    next();
  }

  #slot(): Slot {
    let state: 'taken' | 'lent' | 'released' = 'taken';
    return {
      lend: () => {
        if (state !== 'taken' || this.#lent >= this.maxLent) return false;
        state = 'lent';
        this.#lent += 1;
        this.#freePlace();
        return true;
      },
      takeBack: async (signal) => {
        if (state !== 'lent') return;
        await this.#place(signal);
        this.#lent -= 1;
        state = 'taken';
      },
      release: () => {
        if (state === 'taken') this.#freePlace();
        if (state === 'lent') this.#lent -= 1;
        state = 'released';
      },
    };
  }
}
