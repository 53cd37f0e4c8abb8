export interface Clock {
  /** Epoch milliseconds. */
  now(): number;
  /** Milliseconds of a clock that never jumps. */
  monotonic(): number;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
};

/** The part of a pino logger that the domain uses. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Work that a process repeats until it stops. `startLoop` of the runtime calls `pass`. Calls never overlap. */
export interface RecurringTask {
  /** Milliseconds from the end of one pass to the start of the next. */
  readonly everyMs: number;
  /** Milliseconds from a failed pass to the start of the next. Default: {@link everyMs}. */
  readonly retryAfterMs?: number;
  /** Runs once. @param signal aborted when the process stops */
  pass(signal: AbortSignal): Promise<void>;
}

/**
 * Calls `listener` when the signal is aborted, or at once if the signal is already aborted.
 *
 * @returns a disposable that removes the listener
 */
export function onAbort(signal: AbortSignal, listener: () => void): Disposable {
  if (signal.aborted) listener();
  else signal.addEventListener('abort', listener, { once: true });
  return { [Symbol.dispose]: () => signal.removeEventListener('abort', listener) };
}
