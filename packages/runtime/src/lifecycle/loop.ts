import { setTimeout as delay } from 'node:timers/promises';
import type { RecurringTask } from '@syncline/contract';

export interface LoopOptions extends RecurringTask {
  /** Called when a pass throws. The loop continues. */
  readonly onError: (error: unknown) => void;
}

/** A repeated task. */
export interface Loop {
  /** Begins the next pass at once. A running pass is followed by another one. */
  wake(): void;
  /** Resolves when no pass runs any more. */
  stop(): Promise<void>;
}

/** Starts a loop; the first pass begins at once. Passes never overlap. */
export function startLoop(options: LoopOptions): Loop {
  const { everyMs, onError, retryAfterMs = everyMs } = options;
  const stopping = new AbortController();
  let pause = new AbortController();

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      pause = new AbortController();
      let pauseMs = everyMs;
      try {
        await options.pass(stopping.signal);
      } catch (error) {
        if (!stopping.signal.aborted) onError(error);
        pauseMs = retryAfterMs;
      }
      await delay(pauseMs, undefined, {
        signal: AbortSignal.any([pause.signal, stopping.signal]),
      }).catch(() => undefined);
    }
  }

  const ended = run();
  return {
    wake: () => pause.abort(),
    stop: async () => {
      stopping.abort();
      await ended;
    },
  };
}

/**
 * Returns the result of `work`, or rejects if it takes longer than `timeoutMs`. The work itself continues, so use this
 * only if its result may be lost.
 */
export async function within<Result>(timeoutMs: number, work: Promise<Result>): Promise<Result> {
  const { promise: timedOut, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`no answer in ${timeoutMs} ms`)), timeoutMs);
  try {
    return await Promise.race([work, timedOut]);
  } finally {
    clearTimeout(timer);
  }
}
