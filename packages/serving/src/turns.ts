/**
 * How long a request may compute before other events are handled, in milliseconds. A search
 * takes longer than this in total. The process answers its liveness probe in between.
 */
const SLICE_MS = 4;

/** Whether a request computes for the first time, or continues. */
type Kind = 'first' | 'next';

/**
 * Shares the event loop between requests that compute for long. Each turn of the event loop has one slice. Requests
 * that compute for the first time alternate with requests that continue, so that a short request does not wait behind
 * all long ones.
 */
export class Turns {
  readonly #waiting: Record<Kind, ((untilMs: number) => void)[]> = { first: [], next: [] };
  /** The end of the slice of this turn of the event loop; `undefined` if none has begun. */
  #untilMs: number | undefined;
  #lastKind: Kind = 'next';

  /**
   * Resolves when the caller may compute. Any number of short requests may share a slice.
   *
   * @returns the end of the slice, by `performance.now()`
   */
  async take(kind: Kind = 'first'): Promise<number> {
    const nowMs = performance.now();
    const isIdle = this.#waiting.first.length + this.#waiting.next.length === 0;
    if (kind === 'first' && isIdle) {
      this.#untilMs ??= this.#begin(nowMs);
      if (nowMs < this.#untilMs) return this.#untilMs;
    }
    this.#untilMs ??= this.#begin(nowMs);
    return new Promise((resolve) => this.#waiting[kind].push(resolve));
  }

  #begin(nowMs: number): number {
    setImmediate(() => this.#end());
    return nowMs + SLICE_MS;
  }

  #end(): void {
    this.#untilMs = undefined;
    const { first, next } = this.#waiting;
    this.#lastKind =
      next.length === 0 || (this.#lastKind === 'next' && first.length > 0) ? 'first' : 'next';
    const resolve = this.#waiting[this.#lastKind].shift();
    if (resolve === undefined) return;
    this.#untilMs = this.#begin(performance.now());
    resolve(this.#untilMs);
  }
}

/** The turns of this process, because it has one event loop. */
const turns = new Turns();

/** Resolves when the caller may block the event loop for several milliseconds. */
export async function takeTurn(): Promise<void> {
  await turns.take();
}

/** The slices of one request. */
export interface Slices {
  /** Waits for the next slice if this one is over. @throws the reason of the signal */
  pause(): Promise<void>;
  /** Whether the slice is over, so that the caller should {@link pause}. */
  isOver(): boolean;
}

/** Begins to compute for a request. @param signal aborted when nobody needs the result anymore */
export async function beginSlices(signal?: AbortSignal): Promise<Slices> {
  let untilMs = await turns.take();
  signal?.throwIfAborted();
  return {
    isOver: () => performance.now() >= untilMs,
    async pause() {
      if (performance.now() >= untilMs) untilMs = await turns.take('next');
      signal?.throwIfAborted();
    },
  };
}
