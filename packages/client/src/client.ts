import { setTimeout as sleep } from 'node:timers/promises';
import {
  type Control,
  configSchema,
  controlSchema,
  countRequest,
  digestOf,
  isStoreFull,
  type JobPayloadInput,
  keysOfWrongValue,
  parseHash,
  parseRedisUrl,
  parseRunEntry,
  QUEUE_NAME,
  type RedisKeys,
  type RegistryConfig,
  type Run,
  readStatus,
  redisKeys,
  requestJob,
  SynclineError,
  type SyncStatus,
  sentinelOptions,
  statusSchema,
  syncTargets,
  toSynclineError,
} from '@syncline/contract';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';

export interface SynclineClientOptions {
  /**
   * The URL of Redis: `redis://`, `rediss://`, or `redis+sentinel://host:port,host:port/<name of the master>`. You can
   * also pass a connection, which the client never closes.
   */
  readonly redis: string | Redis;
  /** The prefix of Syncline's keys. Default: `syncline`. */
  readonly prefix?: string;
}

/** Requests syncs from another service, waits for their runs, and reads statuses. */
export interface SynclineClient {
  /**
   * Requests a run of `registry` that starts after this call. The client counts the request in Redis before the call
   * returns. Syncline handles the request even if the job in the queue gets lost.
   *
   * @param options.force fetch even if the cheap check finds no change
   * @returns the request's number, and `joined` if the request waits for the end of the current run
   * @throws SynclineError `unknown-registry`, `registry-suspended`, `store-unavailable`, `store-full`, `store-corrupt`
   */
  requestSync(
    registry: string,
    options?: { force?: boolean },
  ): Promise<{ request: number; state: 'queued' | 'joined' }>;
  /**
   * Returns whether a run has handled a request. `run` is absent if the run log no longer contains the run.
   *
   * @throws SynclineError `unknown-request` if no request has this number
   */
  getRequest(
    registry: string,
    request: number,
  ): Promise<{ state: 'open' | 'answered'; run?: Run | undefined }>;
  /**
   * Waits for the run that handles a request.
   *
   * @returns the run, or undefined after `timeoutMs`
   */
  waitForRun(
    registry: string,
    request: number,
    options: { timeoutMs: number; signal?: AbortSignal },
  ): Promise<Run | undefined>;
  /** Returns the status of a registry. @throws SynclineError `unknown-registry` */
  getStatus(registry: string): Promise<SyncStatus>;
  close(): Promise<void>;
}

const FIRST_POLL_MS = 25;
const LONGEST_POLL_MS = 500;
const COMMAND_TIMEOUT_MS = 5_000;
const RUNS_PER_PAGE = 50;

/**
 * Creates a client for the Redis of a Syncline installation.
 *
 * @throws SynclineError `config-invalid` for an invalid URL
 */
export function createSynclineClient({
  redis: target,
  prefix = 'syncline',
}: SynclineClientOptions): SynclineClient {
  const keys = redisKeys(prefix);
  const redis = typeof target === 'string' ? connect(target) : target;
  const queue = new Queue<JobPayloadInput>(QUEUE_NAME, {
    connection: redis,
    prefix: keys.queuePrefix,
    skipVersionCheck: true,
  });
  /** The last config that the client read. A digest identifies one config. */
  let known: { digest: string; registries: Map<string, RegistryConfig> } | undefined;
  // Failed commands reject. Without a listener, the `error` event would also end the process.
  queue.on('error', () => {});

  return {
    async requestSync(registry, { force = false } = {}) {
      await requireActive(registry);
      const request = await guard(countRequest({ redis, keys }, { registry, force }));
      const status = await guard(readRegistryStatus(registry));
      // A wake-up only saves time. Without it, the sweep finds the request.
      const { name, data, opts } = requestJob({ registry, request, force });
      await guard(queue.add(name, data, opts));
      return { request, state: status.phase === 'Syncing' ? 'joined' : 'queued' };
    },

    async getRequest(registry, request) {
      const { requested, handled } = await readControl(registry);
      if (request > requested) {
        const message = `${registry} has no request ${request}. The last request is ${requested}`;
        throw new SynclineError('unknown-request', message);
      }
      if (request > handled) return { state: 'open' };
      const run = await guard(findRun({ redis, keys }, { registry, request }));
      return { state: 'answered', run };
    },

    async waitForRun(registry, request, { timeoutMs, signal }) {
      const untilMs = Date.now() + timeoutMs;
      for (let pollMs = FIRST_POLL_MS; ; pollMs = Math.min(pollMs * 1.5, LONGEST_POLL_MS)) {
        signal?.throwIfAborted();
        const { handled } = await readControl(registry);
        if (handled >= request) return guard(findRun({ redis, keys }, { registry, request }));
        const leftMs = untilMs - Date.now();
        if (leftMs <= 0) return undefined;
        // After an abort, the next iteration throws the signal's reason.
        await sleep(Math.min(pollMs, leftMs), undefined, { signal }).catch(() => {});
      }
    },

    async getStatus(registry) {
      await requireKnown(registry);
      return guard(readRegistryStatus(registry));
    },

    async close() {
      await queue.close();
      if (typeof target === 'string') redis.disconnect();
    },
  };

  async function readControl(registry: string): Promise<Control> {
    const fields = await guard(redis.hgetall(keys.control(registry)));
    return parseHash(controlSchema, fields).value;
  }

  async function readRegistryStatus(registry: string): Promise<SyncStatus> {
    const [fields, [seconds, microseconds]] = await Promise.all([
      redis.hgetall(keys.status(registry)),
      redis.time(),
    ]);
    const nowMs = Number(seconds) * 1_000 + Math.floor(Number(microseconds) / 1_000);
    return readStatus(parseHash(statusSchema, fields).value, nowMs);
  }

  async function requireActive(registry: string): Promise<void> {
    const config = await requireKnown(registry);
    const { suspended, pinned } = await readControl(registry);
    if (!config.suspended && !suspended && pinned === undefined) return;
    const why = pinned === undefined ? 'suspended' : `pinned to ${pinned}`;
    const message = config.suspended
      ? `the config suspends ${registry}. Remove suspended from its entry in the config`
      : `${registry} is ${why}. Run \`syncline resume ${registry}\` first`;
    throw new SynclineError('registry-suspended', message);
  }

  async function requireKnown(registry: string): Promise<RegistryConfig> {
    const digest = await guard(redis.get(keys.config));
    if (digest !== null && digest !== known?.digest)
      known = { digest, registries: await readConfig(digest) };
    const found = digest === null ? undefined : known?.registries.get(registry);
    if (found !== undefined) return found;
    throw new SynclineError(
      'unknown-registry',
      `the config has no registry ${registry}. Check the spelling of the name`,
    );
  }

  async function readConfig(digest: string) {
    const text = await guard(redis.get(keys.configDocument(digest)));
    try {
      const document: unknown = JSON.parse(text ?? '');
      if (digestOf(document) !== digest) throw new Error('another program has changed the config');
      const targets = syncTargets(configSchema.parse(document));
      return new Map(targets.map((target) => [target.name, target]));
    } catch (cause) {
      const message = `the client cannot read the config ${digest} in Redis. Update the client, or find out which program changed the config`;
      throw new SynclineError('store-corrupt', message, { cause });
    }
  }
}

/**
 * Returns the first run whose `handledRequest` reaches the request, or `undefined` if the run log no longer contains
 * it.
 */
async function findRun(
  { redis, keys }: { redis: Redis; keys: RedisKeys },
  { registry, request }: { registry: string; request: number },
): Promise<Run | undefined> {
  let found: Run | undefined;
  for (let end = '+'; ; ) {
    const entries = await redis.xrevrange(keys.runs(registry), end, '-', 'COUNT', RUNS_PER_PAGE);
    for (const [, fields] of entries) {
      const run = parseRunEntry(fields);
      if (run === undefined) continue;
      if (run.handledRequest < request) return found;
      // An interrupted run repeats the `handledRequest` of the run before.
      if (run.outcome !== 'interrupted') found = run;
    }
    const last = entries.at(-1);
    if (last === undefined || entries.length < RUNS_PER_PAGE) return found;
    end = `(${last[0]}`;
  }
}

function connect(url: string): Redis {
  const target = parseRedisUrl(url);
  const options = { maxRetriesPerRequest: 1, commandTimeout: COMMAND_TIMEOUT_MS };
  const redis =
    target.kind === 'server'
      ? new Redis(target.url, options)
      : new Redis({ ...sentinelOptions(target), ...options, socketTimeout: COMMAND_TIMEOUT_MS });
  redis.on('error', () => {});
  return redis;
}

/** Rethrows errors of Redis as `store-unavailable`, `store-full` or `store-corrupt`. */
async function guard<Result>(reply: Promise<Result>): Promise<Result> {
  try {
    return await reply;
  } catch (cause) {
    const keys = keysOfWrongValue(cause);
    if (keys !== undefined) {
      const message = `the key ${keys[0]} has a value of the wrong type. Delete the key, and sync with force`;
      throw new SynclineError('store-corrupt', message, { cause });
    }
    if (isStoreFull(cause)) throw toSynclineError(cause);
    const detail = cause instanceof Error ? cause.message : String(cause);
    const message = `Redis failed: ${detail}. Check that Redis runs and accepts writes`;
    throw new SynclineError('store-unavailable', message, { cause });
  }
}
