import type { Response } from 'express';

export interface UnsentLimits {
  /** How many bytes of answers may wait for their readers. */
  readonly maxBytes: number;
  /** How long a reader may take for any answer. */
  readonly graceMs: number;
  /** The least rate at which a reader must take a larger answer. */
  readonly leastBytesPerSecond: number;
}

interface Unsent {
  readonly client: string;
  readonly bytes: number;
  readonly cut: () => void;
}

/**
 * Bounds the answers that wait in memory for slow readers. Disconnects readers that are too slow. If the answers take
 * too much memory, disconnects the client with most bytes first.
 */
export class UnsentAnswers {
  readonly #limits: UnsentLimits;
  /** The oldest answer comes first. */
  readonly #answers = new Set<Unsent>();
  #bytes = 0;
  #cut = 0;

  constructor(limits: UnsentLimits) {
    this.#limits = limits;
  }

  /** Returns the bytes that wait, and how many answers were cut. */
  usage(): { readonly bytes: number; readonly cut: number } {
    return { bytes: this.#bytes, cut: this.#cut };
  }

  /** Watches an answer that was handed to its connection, until the connection has sent it. */
  watch(client: string, response: Response): void {
    const bytes = response.writableLength;
    if (bytes === 0 || response.writableFinished) return;
    const { graceMs, leastBytesPerSecond } = this.#limits;
    const cut = () => {
      this.#cut += 1;
      forget();
      response.destroy();
    };
    const timer = setTimeout(cut, graceMs + (bytes / leastBytesPerSecond) * 1_000);
    const unsent = { client, bytes, cut };
    const forget = () => {
      clearTimeout(timer);
      if (this.#answers.delete(unsent)) this.#bytes -= bytes;
    };
    this.#answers.add(unsent);
    this.#bytes += bytes;
    response.once('close', forget);
    while (this.#bytes > this.#limits.maxBytes) this.#oldestOfLargest()?.cut();
  }

  #oldestOfLargest(): Unsent | undefined {
    const bytesOf = new Map<string, number>();
    for (const { client, bytes } of this.#answers) {
      bytesOf.set(client, (bytesOf.get(client) ?? 0) + bytes);
    }
    const most = Math.max(...bytesOf.values());
    return [...this.#answers].find(({ client }) => bytesOf.get(client) === most);
  }
}
