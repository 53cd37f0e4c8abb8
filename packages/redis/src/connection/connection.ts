import { parseRedisUrl, type RedisTarget, sentinelOptions } from '@syncline/contract';
import { Redis, type RedisOptions } from 'ioredis';
import { FollowingConnector } from './sentinel-connector.ts';

/** Reconnects quickly: a worker that waits 20 s after Redis is back has lost 20 s of ticks. */
const MAX_RETRY_DELAY_MS = 2_000;
const COMMAND_TIMEOUT_MS = 5_000;
/** Of a prompt connection: nobody has anything of it while it waits. */
const PROMPT_MAX_RETRY_DELAY_MS = 500;
const PROMPT_CONNECT_TIMEOUT_MS = 3_000;

export interface ConnectionOptions {
  /** As {@link parseRedisUrl} knows it: of a server, or of sentinels. */
  readonly url: string;
  /**
   * `patient`: commands wait for Redis to come back, as workers need it. `prompt`: they fail at once, as
   * whoever answers requests needs it.
   */
  readonly manner: 'patient' | 'prompt';
  /**
   * Of a prompt connection: how long a command may take, milliseconds; 5,000 where absent. A Redis that says
   * nothing for so long counts as away, until it answers a new connection.
   */
  readonly commandTimeoutMs?: number;
  readonly onError: (error: Error) => void;
}

/**
 * A connection that outlives restarts and failovers of Redis. Where the URL names sentinels, it is one to
 * the primary, and to another one as soon as they say so.
 *
 * @throws SynclineError `config-invalid` for a URL that is none of Redis
 */
export function connectRedis({ url, manner, onError, ...options }: ConnectionOptions): Redis {
  const redis = openRedis(parseRedisUrl(url), {
    retryStrategy: (attempt) => Math.min(100 * attempt, MAX_RETRY_DELAY_MS),
    // A master that became a replica keeps its socket open; only a new connection finds the new one.
    reconnectOnError: (error) => (/^(READONLY|UNBLOCKED)/.test(error.message) ? 2 : false),
    ...(manner === 'patient' ? { maxRetriesPerRequest: null } : promptOptions(options)),
  });
  redis.on('error', onError);
  // One that does not answer: there may be others, so that it is no `error`.
  redis.on('sentinelError', onError);
  if (manner === 'prompt') {
    // Only from now on: what is asked while the first connection is made may wait for it.
    redis.once('ready', () => {
      redis.options.enableOfflineQueue = false;
    });
  }
  return redis;
}

/** A client of that Redis, with the options of ioredis. */
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
    // What its caller was told has failed must not be done later.
    maxRetriesPerRequest: 0,
    commandTimeout: commandTimeoutMs,
    // Else what a Redis that hangs is asked would pile up until it answers.
    socketTimeout: commandTimeoutMs,
  };
}
