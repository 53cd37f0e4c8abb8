import { Redis } from 'ioredis';

/** Reconnects quickly: a worker that waits 20 s after Redis is back has lost 20 s of ticks. */
const MAX_RETRY_DELAY_MS = 2_000;
const COMMAND_TIMEOUT_MS = 5_000;

export interface ConnectionOptions {
  readonly url: string;
  /**
   * `patient`: commands wait for Redis to come back, as workers need it. `prompt`: they fail at once, as
   * whoever answers requests needs it.
   */
  readonly manner: 'patient' | 'prompt';
  readonly onError: (error: Error) => void;
}

/** A connection that outlives restarts and failovers of Redis. */
export function connectRedis({ url, manner, onError }: ConnectionOptions): Redis {
  const redis = new Redis(url, {
    retryStrategy: (attempt) => Math.min(100 * attempt, MAX_RETRY_DELAY_MS),
    // A master that became a replica keeps its socket open; only a new connection finds the new one.
    reconnectOnError: (error) => (/^(READONLY|UNBLOCKED)/.test(error.message) ? 2 : false),
    ...(manner === 'patient'
      ? { maxRetriesPerRequest: null }
      : { maxRetriesPerRequest: 1, commandTimeout: COMMAND_TIMEOUT_MS }),
  });
  redis.on('error', onError);
  if (manner === 'prompt') {
    // Only from now on: what is asked while the first connection is made may wait for it.
    redis.once('ready', () => {
      redis.options.enableOfflineQueue = false;
    });
  }
  return redis;
}

/** Resolves when the connection can be used; rejects when `signal` is aborted before. */
export async function untilReady(redis: Redis, signal: AbortSignal): Promise<void> {
  if (redis.status === 'ready') return;
  await new Promise<void>((resolve, reject) => {
    redis.once('ready', resolve);
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}
