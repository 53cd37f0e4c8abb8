/** The right to do heavy work; given back with {@link release}, any number of times. */
export interface Slot {
  release(): void;
}

/** A fixed number of slots, handed out in the order they were asked for. */
export class Slots {
  #free: number;
  readonly #waiting = new Set<(slot: Slot) => void>();

  constructor(count: number) {
    this.#free = count;
  }

  /** A slot, if one is free now. */
  tryTake(): Slot | undefined {
    if (this.#free === 0) return undefined;
    this.#free -= 1;
    return this.#slot();
  }

  /** A slot, as soon as one is free. Rejects with the signal's reason when it is aborted. */
  take(signal: AbortSignal): Promise<Slot> {
    const slot = this.tryTake();
    if (slot !== undefined) return Promise.resolve(slot);
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        this.#waiting.delete(onSlot);
        reject(signal.reason);
      };
      const onSlot = (freed: Slot) => {
        signal.removeEventListener('abort', onAbort);
        resolve(freed);
      };
      if (signal.aborted) return onAbort();
      signal.addEventListener('abort', onAbort, { once: true });
      this.#waiting.add(onSlot);
    });
  }

  #slot(): Slot {
    let taken = true;
    return {
      release: () => {
        if (!taken) return;
        taken = false;
        const [next] = this.#waiting;
        if (next === undefined) {
          this.#free += 1;
          return;
        }
        this.#waiting.delete(next);
        next(this.#slot());
      },
    };
  }
}
