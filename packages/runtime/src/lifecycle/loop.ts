import { setTimeout as delay } from 'node:timers/promises';

export interface LoopOptions {
  /** From the end of one pass to the beginning of the next. */
  readonly everyMs: number;
  readonly pass: (signal: AbortSignal) => Promise<void>;
  /** Told when a pass throws; the loop goes on. */
  readonly onError: (error: unknown) => void;
  /** From the end of a pass that threw to the beginning of the next; as long as after any where absent. */
  readonly retryAfterMs?: number;
}

/** Something done again and again until it is stopped. */
export interface Loop {
  /** Begins the next pass at once; one that is under way is followed by another. */
  wake(): void;
  /** Resolves when no pass is under way any more. */
  stop(): Promise<void>;
}

/** Starts a loop; the first pass begins at once. Passes never overlap. */
export function startLoop({ everyMs, pass, onError, retryAfterMs = everyMs }: LoopOptions): Loop {
  const stopping = new AbortController();
  let pause = new AbortController();

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      pause = new AbortController();
      let pauseMs = everyMs;
      try {
        await pass(stopping.signal);
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
