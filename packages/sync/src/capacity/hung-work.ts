import { onAbort } from '@syncline/contract';

/** Requests and threads end at once with their signal, git and its child processes within some seconds. */
const GRACE_MS = 3_000;

export interface OrLeaveOptions {
  readonly signal: AbortSignal;
  /** Called if the work is left behind. */
  readonly onLeft?: () => void;
  /** How long the work has after an abort to end by itself. Default: 3,000. */
  readonly graceMs?: number | undefined;
}

/**
 * Returns the result of the work. Rejects with the signal's reason if the work has not ended some time after an abort.
 * That work is left behind: it goes on, and its result is dropped.
 */
export async function orLeave<Result>(
  work: Promise<Result>,
  { signal, onLeft, graceMs = GRACE_MS }: OrLeaveOptions,
): Promise<Result> {
  const left = Promise.withResolvers<never>();
  let timer: NodeJS.Timeout | undefined;
  using _listening = onAbort(signal, () => {
    timer = setTimeout(() => {
      onLeft?.();
      left.reject(signal.reason);
    }, graceMs);
  });
  try {
    return await Promise.race([work, left.promise]);
  } finally {
    clearTimeout(timer);
  }
}

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
