import { setTimeout as delay } from 'node:timers/promises';
import type { RecurringTask } from '@syncline/contract';

export interface LoopOptions extends RecurringTask {
  /** Called when a pass throws. The loop continues. */
  readonly onError: (error: unknown) => void;
}

/** A repeated task. */
export interface Loop {
  /** Starts the next pass at once. If a pass is running, another pass follows it. */
  wake(): void;
  /** Stops the loop. Resolves when no pass is running. */
  stop(): Promise<void>;
}

/** Starts a loop. The first pass starts at once, and passes never overlap. */
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
 * function only if its result may be lost.
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
