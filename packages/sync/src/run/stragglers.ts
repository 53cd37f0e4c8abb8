import { orLeave } from './or-leave.ts';

/**
 * Work that goes on although its run has ended: a call to a file system that never returns, a promise that
 * nobody settles. It can only be left to itself, and no more of it begun.
 */
export class Stragglers {
  readonly #registries = new Set<string>();
  readonly #graceMs: number | undefined;

  /** @param options.graceMs how long work has after its signal to end by itself */
  constructor({ graceMs }: { graceMs?: number } = {}) {
    this.#graceMs = graceMs;
  }

  /** Whether work for the registry was left behind in this process, and still goes on. */
  has(registry: string): boolean {
    return this.#registries.has(registry);
  }

  /** What comes of the work; the signal's reason, where it had to be left behind. */
  watch<Result>(registry: string, work: Promise<Result>, signal: AbortSignal): Promise<Result> {
    const onLeft = () => {
      this.#registries.add(registry);
      const end = () => void this.#registries.delete(registry);
      work.then(end, end);
    };
    const graceMs = this.#graceMs;
    return orLeave(work, { signal, onLeft, ...(graceMs === undefined ? {} : { graceMs }) });
  }
}
