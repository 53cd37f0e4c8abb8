import { Interrupted, type StopSignal } from './errors.ts';

const SIGNALS: readonly StopSignal[] = ['SIGINT', 'SIGTERM'];

/**
 * Runs `work` with a signal that Ctrl-C and SIGTERM abort, with an {@link Interrupted} as the reason. A
 * second Ctrl-C ends the process at once.
 *
 * @param message the message for the user who interrupts the command
 */
export async function withInterrupt<Result>(
  work: (signal: AbortSignal) => Promise<Result>,
  message?: string,
): Promise<Result> {
  const stopping = new AbortController();
  const stop = (signal: StopSignal) => {
    release();
    stopping.abort(new Interrupted(signal, message));
  };
  const release = () => {
    for (const signal of SIGNALS) process.off(signal, stop);
  };
  for (const signal of SIGNALS) process.on(signal, stop);
  try {
    return await work(stopping.signal);
  } finally {
    release();
  }
}
