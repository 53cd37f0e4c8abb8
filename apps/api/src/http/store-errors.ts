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
