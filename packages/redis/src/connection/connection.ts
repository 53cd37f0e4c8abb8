import { parseRedisUrl, type RedisTarget, sentinelOptions } from '@syncline/contract';
import { Redis, type RedisOptions } from 'ioredis';
import { FollowingConnector } from './sentinel-connector.ts';

/** Short, because a worker that still waits after Redis is back misses ticks. */
const MAX_RETRY_DELAY_MS = 2_000;
const COMMAND_TIMEOUT_MS = 5_000;
/** Short, because the callers of a prompt connection wait for an answer. */
const PROMPT_MAX_RETRY_DELAY_MS = 500;
const PROMPT_CONNECT_TIMEOUT_MS = 3_000;

export interface ConnectionOptions {
  /** The URL of a server or of sentinels, for {@link parseRedisUrl}. */
  readonly url: string;
  /**
   * - `patient`: commands wait until Redis is back. Workers use this manner.
   * - `prompt`: commands fail at once. An api uses this manner.
   */
  readonly manner: 'patient' | 'prompt';
  /**
   * Milliseconds that a command may take on a prompt connection. Default: 5,000. After this time, Redis counts as
   * unreachable until it answers a new connection.
   */
  readonly commandTimeoutMs?: number;
  readonly onError: (error: Error) => void;
}

/**
 * Connects to Redis, and reconnects after restarts and failovers. With sentinels, it connects to the primary that the
 * sentinels announce.
 *
 * @throws SynclineError `config-invalid` for an invalid URL
 */
export function connectRedis({ url, manner, onError, ...options }: ConnectionOptions): Redis {
  const redis = openRedis(parseRedisUrl(url), {
    retryStrategy: (attempt) => Math.min(100 * attempt, MAX_RETRY_DELAY_MS),
    // A primary that became a replica keeps its socket open. Only a new connection finds the new primary.
    reconnectOnError: (error) => (/^(READONLY|UNBLOCKED)/.test(error.message) ? 2 : false),
    ...(manner === 'patient' ? { maxRetriesPerRequest: null } : promptOptions(options)),
  });
  redis.on('error', onError);
  // If one sentinel does not answer, ioredis emits no `error`, because another sentinel may answer.
  redis.on('sentinelError', onError);
  if (manner === 'prompt') {
    // Disables the queue only now, so that earlier commands wait for the first connection.
    redis.once('ready', () => {
      redis.options.enableOfflineQueue = false;
    });
  }
  return redis;
}

/** Creates a Redis client with ioredis options. */
export function openRedis(
  target: RedisTarget,
  options: Omit<RedisOptions, 'replyMapping' | 'Connector'>,
): Redis {
  if (target.kind === 'server') return new Redis(target.url, options);
  return new Redis({ ...sentinelOptions(target), Connector: FollowingConnector, ...options });
}

function promptOptions({
  commandTimeoutMs = COMMAND_TIMEOUT_MS,
}: Pick<ConnectionOptions, 'commandTimeoutMs'>) {
  return {
    retryStrategy: (attempt: number) => Math.min(100 * attempt, PROMPT_MAX_RETRY_DELAY_MS),
    connectTimeout: PROMPT_CONNECT_TIMEOUT_MS,
    // After a command has failed for its caller, ioredis must not run the command later.
    maxRetriesPerRequest: 0,
    commandTimeout: commandTimeoutMs,
    // Without this timeout, commands to a hung Redis pile up.
    socketTimeout: commandTimeoutMs,
  };
}
