import { z } from 'zod';

/** Stable codes: for programs to switch on, for metrics as a label, for people to search for. */
export const errorCodeSchema = z.enum([
  // config
  'config-unreadable',
  'config-invalid',
  // source
  'source-file-missing',
  'source-file-unreadable',
  'source-unreachable',
  'source-http-status',
  'source-rate-limited',
  'source-timeout',
  'source-too-large',
  'source-not-json',
  'source-not-a-registry',
  'source-cursor-repeated',
  'source-too-deep',
  'source-address-refused',
  'source-redirect-refused',
  'source-credential-unreadable',
  'source-git-failed',
  'source-ref-missing',
  'source-path-missing',
  'source-path-refused',
  // run
  'run-timeout',
  'run-crashed',
  'run-out-of-memory',
  'lease-lost',
  'snapshot-corrupt',
  'snapshot-incomplete',
  // asked of us
  'unknown-registry',
  'unknown-catalog',
  'unknown-run',
  'unknown-request',
  'unknown-snapshot',
  'unknown-route',
  'server-not-found',
  'bad-request',
  'body-too-large',
  'unsupported-media-type',
  'registry-suspended',
  'registry-busy',
  'suspended-by-config',
  'unauthorized',
  'control-disabled',
  'cross-origin-refused',
  // around us
  'catalog-not-ready',
  'preview-failed',
  'store-unavailable',
  'store-corrupt',
  'internal',
]);
export type ErrorCode = z.infer<typeof errorCodeSchema>;

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
