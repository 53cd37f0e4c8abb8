import type { ErrorCode } from '@syncline/contract';

/** The HTTP status of each error code: those of the first group are the caller's doing. */
const HTTP_STATUS: Readonly<Record<ErrorCode, number>> = {
  'bad-request': 400,
  unauthorized: 401,
  'control-disabled': 403,
  'cross-origin-refused': 403,
  'unknown-registry': 404,
  'unknown-catalog': 404,
  'unknown-run': 404,
  'unknown-request': 404,
  'unknown-snapshot': 404,
  'unknown-route': 404,
  'server-not-found': 404,
  'registry-suspended': 409,
  'registry-busy': 409,
  'suspended-by-config': 409,
  'body-too-large': 413,
  'unsupported-media-type': 415,

  'preview-failed': 502,
  'catalog-not-ready': 503,
  'config-unreadable': 503,
  'store-unavailable': 503,

  'config-invalid': 500,
  'store-corrupt': 500,
  'snapshot-corrupt': 500,
  'snapshot-incomplete': 500,
  internal: 500,

  // Of runs; no request ends with one of these, a run that did is an answer like another.
  'source-file-missing': 500,
  'source-file-unreadable': 500,
  'source-unreachable': 500,
  'source-http-status': 500,
  'source-rate-limited': 500,
  'source-timeout': 500,
  'source-too-large': 500,
  'source-not-json': 500,
  'source-not-a-registry': 500,
  'source-cursor-repeated': 500,
  'source-too-deep': 500,
  'source-address-refused': 500,
  'source-redirect-refused': 500,
  'source-credential-unreadable': 500,
  'source-git-failed': 500,
  'source-ref-missing': 500,
  'source-path-missing': 500,
  'source-path-refused': 500,
  'run-timeout': 500,
  'run-crashed': 500,
  'run-out-of-memory': 500,
  'lease-lost': 500,
};

/** The HTTP status that tells of an error. The one place that knows. */
export function httpStatus(code: ErrorCode): number {
  return HTTP_STATUS[code];
}

/** A Redis that restarts takes seconds. */
const STORE_RETRY_MS = 2_000;

/** When to try again, where an error of this code does not say so itself. */
export function defaultRetryAfterMs(code: ErrorCode): number | undefined {
  return code === 'store-unavailable' ? STORE_RETRY_MS : undefined;
}
