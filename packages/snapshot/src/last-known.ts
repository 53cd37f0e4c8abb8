import type { Clock } from '@syncline/contract';

export interface LastKnownOptions<Value> {
  /** Returns whether an error means that the store is unreachable. Damaged content is another error. */
  readonly isAway: (error: unknown) => boolean;
  readonly clock: Pick<Clock, 'monotonic'>;
  /** The limit for the sum of the sizes. Forgets the answers that were not asked for the longest time. */
  readonly maxBytes: number;
  /** Returns an estimate of the memory that an answer takes. */
  readonly sizeOf: (value: Value) => number;
}

/** An answer and its age. A fresh answer has the age `undefined`. */
export interface Known<Value> {
  readonly value: Value;
  readonly ageMs: number | undefined;
}

/**
 * Remembers the last answer to each question, and returns it while the store is unreachable. An answer to an earlier
 * read never replaces an answer to a later read, so that readers do not go back in time.
 */
export class LastKnown<Value> {
  readonly #options: LastKnownOptions<Value>;
  /** The answer that was not asked for the longest time comes first. */
  readonly #answers = new Map<
    string,
    { value: Value; bytes: number; askedAtMs: number; turn: number }
  >();
  #turns = 0;
  #bytes = 0;

  constructor(options: LastKnownOptions<Value>) {
    this.#options = options;
  }

  /** An estimate of the memory that all answers take. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Returns the fresh answer, or the last one if the store is unreachable.
   *
   * @throws the error of `read`, if no last answer can replace it
   */
  async read(key: string, read: () => Promise<Value>): Promise<Known<Value>> {
    const { isAway, clock } = this.#options;
    this.#turns += 1;
    const turn = this.#turns;
    const askedAtMs = clock.monotonic();
    try {
      const value = await read();
      if (turn > (this.#answers.get(key)?.turn ?? 0)) this.#remember(key, value, askedAtMs, turn);
      return { value, ageMs: undefined };
    } catch (error) {
      const known = this.#answers.get(key);
      if (known === undefined || !isAway(error)) throw error;
      return { value: known.value, ageMs: clock.monotonic() - known.askedAtMs };
    }
  }

  /** Returns the last answer, of any age. */
  peek(key: string): Value | undefined {
    return this.#answers.get(key)?.value;
  }

  #remember(key: string, value: Value, askedAtMs: number, turn: number): void {
    const known = this.#answers.get(key);
    const bytes =
      known !== undefined && known.value === value
        ? known.bytes
        : key.length + this.#options.sizeOf(value);
    this.#forget(key);
    this.#answers.set(key, { value, bytes, askedAtMs, turn });
    this.#bytes += bytes;
    for (const oldest of this.#answers.keys()) {
      if (this.#bytes <= this.#options.maxBytes) break;
      this.#forget(oldest);
    }
  }

  #forget(key: string): void {
    this.#bytes -= this.#answers.get(key)?.bytes ?? 0;
    this.#answers.delete(key);
  }
}
