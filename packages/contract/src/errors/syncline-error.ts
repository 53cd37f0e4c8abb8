import { ERRORS, type ErrorCode } from './error-table.ts';

export interface SynclineErrorOptions {
  /** The valid values, as a noun phrase. The message ends with them: `… . Use ${expected}`. */
  readonly expected?: string;
  /** Milliseconds to wait before the next attempt, from the upstream's `Retry-After` header. */
  readonly retryAfterMs?: number;
  /** The HTTP status of the upstream's answer. */
  readonly status?: number;
  readonly cause?: unknown;
}

/**
 * An error with a stable {@link ErrorCode}. Its message says what happened and where, and after a full stop what to
 * do. If the message gives no advice, programs that show it to people add the advice of {@link ERRORS}.
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
      options.expected === undefined ? message : `${message}. Use ${options.expected}`,
      options.cause === undefined ? undefined : { cause: options.cause },
    );
    this.code = code;
    this.expected = options.expected;
    this.retryAfterMs = options.retryAfterMs;
    this.status = options.status;
  }
}

/** Returns a SynclineError unchanged, and wraps any other error as `internal`. */
export function toSynclineError(error: unknown): SynclineError {
  if (error instanceof SynclineError) return error;
  if (isStoreFull(error)) {
    return new SynclineError('store-full', 'Redis is full and refuses to store more data', {
      cause: error,
    });
  }
  return new SynclineError('internal', error instanceof Error ? error.message : String(error), {
    cause: error,
  });
}

/** Returns whether the user must correct the config, the environment of the process, or the command. */
export function isConfigFault(error: unknown): error is SynclineError {
  return error instanceof SynclineError && ERRORS[error.code].fault === 'config';
}

const NETWORK_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
]);

/** Messages of ioredis errors without a working connection. These errors have no codes. */
const CLIENT_MESSAGES =
  /^(Connection is closed|Stream isn't writeable|Command timed out|Socket timeout|Command aborted due to connection close|Reached the max retries per request limit)/;

/** Replies of a Redis that cannot run the command now. */
const SERVER_MESSAGES = /^(LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|NOREPLICAS|UNBLOCKED) /;

/** Returns whether Redis is unreachable or cannot run the command now. */
export function isStoreUnavailable(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if ('code' in error && typeof error.code === 'string' && NETWORK_CODES.has(error.code))
    return true;
  if (CLIENT_MESSAGES.test(error.message) || SERVER_MESSAGES.test(error.message)) return true;
  return error instanceof AggregateError && error.errors.some(isStoreUnavailable);
}

/** Returns whether Redis refused a write because it has no free memory. */
export function isStoreFull(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  // A script's error names the script first.
  if (/\bOOM command not allowed/.test(error.message)) return true;
  // ioredis lists the errors of the commands of a transaction that Redis has discarded.
  const { previousErrors } = error as { previousErrors?: unknown };
  return Array.isArray(previousErrors) && previousErrors.some(isStoreFull);
}

/** Replies of Redis if a command expects another type of value. */
const WRONG_VALUE = /WRONGTYPE|is not an integer/;

/**
 * Returns the keys of a command that failed because a key holds a value of another type.
 *
 * @returns undefined for any other error
 */
export function keysOfWrongValue(error: unknown): string[] | undefined {
  if (!(error instanceof Error) || !WRONG_VALUE.test(error.message)) return undefined;
  // ioredis documents `command` for errors in a reply of Redis.
  const { command } = error as { command?: { name: string; args: readonly unknown[] } };
  if (command === undefined) return [];
  const [first, second, ...rest] = command.args;
  const isScript = /^eval(sha)?$/i.test(command.name);
  return (isScript ? rest.slice(0, Number(second)) : [first]).map(String);
}
