import type { SentinelTarget } from './redis-url.ts';

const CONNECT_TIMEOUT_MS = 3_000;
const SENTINEL_ANSWER_TIMEOUT_MS = 1_000;
/** Longer than a worker of BullMQ waits for a job. */
const MAX_SILENCE_MS = 20_000;
const MAX_RETRY_DELAY_MS = 2_000;

/**
 * What ioredis has to be told to find the primary of these sentinels, and to follow it: to be spread into
 * its options, before those that say how commands are to be treated.
 */
export function sentinelOptions(target: SentinelTarget) {
  const { sentinels, masterName, db, username, password, isEncrypted } = target;
  const { sentinelUsername, sentinelPassword } = target;
  return {
    sentinels: sentinels.map((address) => ({ ...address })),
    name: masterName,
    db,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(sentinelUsername === undefined ? {} : { sentinelUsername }),
    ...(sentinelPassword === undefined ? {} : { sentinelPassword }),
    ...(isEncrypted ? { tls: {}, sentinelTLS: {}, enableTLSForSentinelMode: true } : {}),
    sentinelRetryStrategy: (attempt: number) => Math.min(100 * attempt, MAX_RETRY_DELAY_MS),
    sentinelCommandTimeout: SENTINEL_ANSWER_TIMEOUT_MS,
    connectTimeout: CONNECT_TIMEOUT_MS,
    // A primary that hangs keeps its connections, also when another one has taken over.
    socketTimeout: MAX_SILENCE_MS,
  };
}
