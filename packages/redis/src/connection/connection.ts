import { parseRedisUrl, type RedisTarget, sentinelOptions } from '@syncline/contract';
import { Redis, type RedisOptions } from 'ioredis';
import { FollowingConnector } from './sentinel-connector.ts';

/** Short, because a worker loses the ticks of the time that it waits after Redis is back. */
const MAX_RETRY_DELAY_MS = 2_000;
const COMMAND_TIMEOUT_MS = 5_000;
/** Of a prompt connection, whose callers wait for an answer. */
const PROMPT_MAX_RETRY_DELAY_MS = 500;
const PROMPT_CONNECT_TIMEOUT_MS = 3_000;

export interface ConnectionOptions {
  /** A URL for {@link parseRedisUrl}: of a server, or of sentinels. */
  readonly url: string;
  /**
   * `patient`: commands wait until Redis is back, as workers need it. `prompt`: commands fail at once, as an api
   * needs it.
   */
  readonly manner: 'patient' | 'prompt';
  /**
   * Of a prompt connection: how long a command may take, in milliseconds. Default: 5,000. After this time, Redis
   * counts as away until it answers a new connection.
   */
  readonly commandTimeoutMs?: number;
  readonly onError: (error: Error) => void;
}

/**
 * Connects to Redis, and reconnects after restarts and failovers. With sentinels, it connects to the primary that they
 * announce.
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
  // One sentinel does not answer. ioredis emits no `error`, because others may answer.
  redis.on('sentinelError', onError);
  if (manner === 'prompt') {
    // From now on only: commands before the first connection wait for it.
    redis.once('ready', () => {
      redis.options.enableOfflineQueue = false;
    });
  }
  return redis;
}

/** Creates a client of a Redis, with options of ioredis. */
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
    // A command that has failed for its caller must not run later.
    maxRetriesPerRequest: 0,
    commandTimeout: commandTimeoutMs,
    // Without it, commands to a Redis that hangs pile up.
    socketTimeout: commandTimeoutMs,
  };
}
