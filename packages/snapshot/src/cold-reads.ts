/**
 * Shares and limits reads of what no cache has. Concurrent readers of the same key share one read. At most
 * `maxConcurrent` reads are in progress, because each one needs memory. The others wait in order. A reader waits for
 * one read at a time, so a reader of many keys does not delay a reader of one key for long.
 */
export class ColdReads<Value> {
  readonly #maxConcurrent: number;
  readonly #reads = new Map<string, Promise<Value>>();
  readonly #waiting: (() => void)[] = [];
  #inProgress = 0;

  constructor(maxConcurrent: number) {
    this.#maxConcurrent = maxConcurrent;
  }

  read(key: string, load: () => Promise<Value>): Promise<Value> {
    const shared = this.#reads.get(key);
    if (shared !== undefined) return shared;
    const read = this.#inTurn(load).finally(() => this.#reads.delete(key));
    this.#reads.set(key, read);
    return read;
  }

  async #inTurn(load: () => Promise<Value>): Promise<Value> {
    if (this.#inProgress < this.#maxConcurrent) this.#inProgress += 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await load();
    } finally {
      const next = this.#waiting.shift();
      // The next read takes over the place of this one.
      if (next === undefined) this.#inProgress -= 1;
      else next();
    }
  }
}
