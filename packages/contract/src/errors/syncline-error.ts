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

/** What ioredis says when there is no connection, or none that answers; it gives these no codes. */
const CLIENT_MESSAGES =
  /^(Connection is closed|Stream isn't writeable|Command timed out|Socket timeout|Command aborted due to connection close|Reached the max retries per request limit)/;

/** What a Redis says that is there, but not for us, not now. */
const SERVER_MESSAGES =
  /^(LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|NOREPLICAS|OOM|UNBLOCKED) /;

/** Whether an error says that Redis is away, or cannot take what it was sent, and may be back later. */
export function isStoreUnavailable(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if ('code' in error && typeof error.code === 'string' && NETWORK_CODES.has(error.code))
    return true;
  if (CLIENT_MESSAGES.test(error.message) || SERVER_MESSAGES.test(error.message)) return true;
  return error instanceof AggregateError && error.errors.some(isStoreUnavailable);
}

/** What Redis says of a value that is not of the type, or not a number, that a command takes it for. */
const WRONG_VALUE = /WRONGTYPE|is not an integer/;

/**
 * The keys of a command that failed because one of them holds what is not ours.
 *
 * @returns undefined for any other error
 */
export function keysOfWrongValue(error: unknown): string[] | undefined {
  if (!(error instanceof Error) || !WRONG_VALUE.test(error.message)) return undefined;
  // As ioredis documents it, for errors that Redis has replied with.
  const { command } = error as { command?: { name: string; args: readonly unknown[] } };
  if (command === undefined) return [];
  const [first, second, ...rest] = command.args;
  const isScript = /^eval(sha)?$/i.test(command.name);
  return (isScript ? rest.slice(0, Number(second)) : [first]).map(String);
}
