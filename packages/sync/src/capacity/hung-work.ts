import { orLeave } from './or-leave.ts';

/**
 * Work that ignores its abort signal: a call to a file system that never returns, a promise that is never settled.
 * Nothing can end such work. Its run ends without it, and no further work of the same registry begins.
 */
export class HungWork {
  readonly #registries = new Set<string>();
  readonly #graceMs: number | undefined;

  /** @param options.graceMs how long work has after its signal to end by itself; default 3,000 */
  constructor({ graceMs }: { graceMs?: number | undefined } = {}) {
    this.#graceMs = graceMs;
  }

  /** Returns whether work for the registry was left behind in this process and still goes on. */
  has(registry: string): boolean {
    return this.#registries.has(registry);
  }

  /** Returns the result of the work. Rejects with the reason of the signal if the work was left behind. */
  watch<Result>(registry: string, work: Promise<Result>, signal: AbortSignal): Promise<Result> {
    const onLeft = () => {
      this.#registries.add(registry);
      const end = () => void this.#registries.delete(registry);
      work.then(end, end);
    };
    return orLeave(work, { signal, onLeft, graceMs: this.#graceMs });
  }
}
