import { ERRORS, type ErrorCode } from './error-table.ts';

export interface SynclineErrorOptions {
  /** What would have been right, in words. */
  readonly expected?: string;
  /** Where it is known: how long to wait before the next try, from the upstream's `Retry-After`. */
  readonly retryAfterMs?: number;
  /** The HTTP status that an upstream answered with. */
  readonly status?: number;
  readonly cause?: unknown;
}

/**
 * An error with a policy: a stable {@link ErrorCode}, what happened, and what was expected.
 * Messages never carry credentials: they reach logs, Redis and answers over HTTP.
 */
export class SynclineError extends Error {
  override readonly name = 'SynclineError';
  readonly code: ErrorCode;
  readonly expected: string | undefined;
  readonly retryAfterMs: number | undefined;
  readonly status: number | undefined;

  constructor(code: ErrorCode, message: string, options: SynclineErrorOptions = {}) {
    super(
      options.expected === undefined ? message : `${message}; expected ${options.expected}`,
      options.cause === undefined ? undefined : { cause: options.cause },
    );
    this.code = code;
    this.expected = options.expected;
    this.retryAfterMs = options.retryAfterMs;
    this.status = options.status;
  }
}

/** The error itself where it is one of ours, else one of code `internal` that keeps it as its cause. */
export function toSynclineError(error: unknown): SynclineError {
  if (error instanceof SynclineError) return error;
  return new SynclineError('internal', error instanceof Error ? error.message : String(error), {
    cause: error,
  });
}

/** Whether whoever started the process or the command has to correct the config or the environment. */
export function isConfigFault(error: unknown): error is SynclineError {
  return error instanceof SynclineError && ERRORS[error.code].fault === 'config';
}
