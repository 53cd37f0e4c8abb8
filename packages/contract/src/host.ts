export interface Clock {
  /** Epoch milliseconds. */
  now(): number;
  /** Milliseconds that never jump. */
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

/** Work that a process repeats until it stops: `startLoop` of the runtime runs it. Passes never overlap. */
export interface RecurringTask {
  /** From the end of one pass to the beginning of the next. */
  readonly everyMs: number;
  /** From the end of a pass that threw to the beginning of the next. Default: {@link everyMs}. */
  readonly retryAfterMs?: number;
  /** @param signal aborted when the process stops */
  pass(signal: AbortSignal): Promise<void>;
}

/**
 * Calls `listener` once the signal is aborted: at once if it is aborted already.
 *
 * @returns what detaches the listener when it is disposed
 */
export function onAbort(signal: AbortSignal, listener: () => void): Disposable {
  if (signal.aborted) listener();
  else signal.addEventListener('abort', listener, { once: true });
  return { [Symbol.dispose]: () => signal.removeEventListener('abort', listener) };
}
