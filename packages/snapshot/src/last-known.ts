import type { Clock } from '@syncline/contract';

export interface LastKnownOptions {
  /** Returns whether an error means that the store is unreachable. Damaged content is another error. */
  readonly isAway: (error: unknown) => boolean;
  readonly clock: Pick<Clock, 'monotonic'>;
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
  readonly #isAway: LastKnownOptions['isAway'];
  readonly #clock: LastKnownOptions['clock'];
  readonly #answers = new Map<string, { value: Value; askedAtMs: number; turn: number }>();
  #turns = 0;

  constructor({ isAway, clock }: LastKnownOptions) {
    this.#isAway = isAway;
    this.#clock = clock;
  }

  /**
   * Returns the fresh answer, or the last one if the store is unreachable.
   *
   * @throws the error of `read`, if no last answer can replace it
   */
  async read(key: string, read: () => Promise<Value>): Promise<Known<Value>> {
    this.#turns += 1;
    const turn = this.#turns;
    const askedAtMs = this.#clock.monotonic();
    try {
      const value = await read();
      if (turn > (this.#answers.get(key)?.turn ?? 0)) {
        this.#answers.set(key, { value, askedAtMs, turn });
      }
      return { value, ageMs: undefined };
    } catch (error) {
      const known = this.#answers.get(key);
      if (known === undefined || !this.#isAway(error)) throw error;
      return { value: known.value, ageMs: this.#clock.monotonic() - known.askedAtMs };
    }
  }

  /** Returns the last answer, of any age. */
  peek(key: string): Value | undefined {
    return this.#answers.get(key)?.value;
  }
}
