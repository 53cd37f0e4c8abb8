import { SynclineError } from '@syncline/contract';

/** Counts the bytes that one run retains, so that the run fails before the heap of its thread is full. */
export class RetainedBytes {
  readonly #max: number;
  #count = 0;

  constructor(max = Number.POSITIVE_INFINITY) {
    this.#max = max;
  }

  get count(): number {
    return this.#count;
  }

  /** @throws SynclineError `run-out-of-memory` */
  add(bytes: number): void {
    this.#count += bytes;
    if (this.#count <= this.#max) return;
    const message = `the registry needs more memory than a run may use. The limit is ${this.#max} bytes`;
    throw new SynclineError('run-out-of-memory', message);
  }

  release(bytes: number): void {
    this.#count -= bytes;
  }
}
