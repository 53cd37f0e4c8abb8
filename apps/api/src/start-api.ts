import { readFile } from 'node:fs/promises';
import { createSynclineClient } from '@syncline/client';
import { isStoreUnavailable, type Logger } from '@syncline/contract';
import {
  connectRedis,
  createPreviewRequester,
  openStore,
  readAllStoredBytes,
  readStoredBytesLimit,
  type Store,
} from '@syncline/redis';
import {
  listen,
  type ProcessContext,
  readinessOf,
  requireRedisUrl,
  type Service,
  startLoop,
  VERSION,
} from '@syncline/runtime';
import { takeTurn } from '@syncline/serving';
import { createSnapshotReader } from '@syncline/snapshot';
import { createApp } from './app.ts';
import { createQueueBoard } from './bull-board.ts';
import { createLoadLimiter } from './load/limit-load.ts';
import { type RememberedRegistries, rememberRegistries } from './remembered-registries.ts';

/** How often the api checks for a new config. */
const REFRESH_EVERY_MS = 1_000;
const STOP_GRACE_MS = 5_000;
/** The share of the api's memory for cached rows and manifests. Rows in work, and answers, need the rest. */
const CACHE_SHARE = 1 / 2;
/** Callers get an answer after about this time, even if Redis hangs. */
const COMMAND_TIMEOUT_MS = 1_000;

export interface ApiService extends Service {
  /** The port on which the api listens. The system may have chosen it. */
  readonly port: number;
}

/**
 * Starts an api, which serves the copies, shows statuses and takes control requests. Any number of apis may run.
 * When this promise resolves, the api answers requests. While Redis is unavailable, it answers `store-unavailable`.
 *
 * @throws SynclineError `config-invalid` for an invalid token file; the system's error if the port is taken
 */
export async function startApi({
  env,
  logger,
  metrics,
  access,
  memory,
}: ProcessContext): Promise<ApiService> {
  const url = requireRedisUrl(env);
  await access.tokens.requireAdmin();
  const openApiDocument = await readFile(new URL('../openapi.yaml', import.meta.url), 'utf8');
  const { redis, patientWrites, onError } = connect({ url, logger });
  const store = openStore({ redis, prefix: env.prefix, storedBytes: env.storedBytes, logger });
  const { keys, queue, config, reader, runs, snapshots } = store;
  access.tokens.follow(() => config.current()?.access.tokens ?? []);
  const requester = createSynclineClient({ redis, prefix: env.prefix });
  const previewer = createPreviewRequester({ redis, keys, onError });
  const stopping = new AbortController();

  const readiness: Service['readiness'] = async () =>
    readinessOf([
      ...(redis.status === 'ready' ? [] : [`Redis is ${redis.status}`]),
      ...(config.current() === undefined ? ['no config has been published'] : []),
    ]);
  const remembered = rememberRegistries(reader, {
    isConfigured: (name) => config.registry(name) !== undefined,
  });
  const cachedSnapshots = createSnapshotReader({
    store: snapshots,
    cachedBytes: memory.cacheBytes * CACHE_SHARE,
    takeTurn,
    isAway: isStoreUnavailable,
  });
  const { arrivals } = access;
  const loadLimiter = createLoadLimiter({ ...arrivals, logger });
  const app = createApp({
    config,
    registries: reader,
    remembered,
    snapshots: cachedSnapshots,
    loadLimiter,
    runs,
    operations: () => store.operations({ writes: patientWrites }),
    requester,
    previewer,
    metrics,
    logger,
    readiness,
    access,
    version: VERSION,
    openApiDocument,
    queueBoard: createQueueBoard({
      queue,
      basePath: '/queues',
      countSchedulers: () => queue.getJobSchedulersCount(),
    }),
    stopping: stopping.signal,
  });

  const refresher = startLoop({
    everyMs: REFRESH_EVERY_MS,
    pass: () => config.refresh(),
    onError: (error) => logger.debug({ err: error }, 'check for a new config failed'),
  });
  const forgetSources = [
    metrics.onScrape(() => readAges(config, remembered)),
    metrics.onScrapeOfStoredBytes({
      registries: () => readAllStoredBytes(store),
      limit: () => readStoredBytesLimit({ redis, storedBytes: env.storedBytes }),
    }),
    metrics.onLoadScrape(() => ({ ...loadLimiter.usage(), cache: cachedSnapshots.usage() })),
    metrics.onMemory({ reserved: () => ({ cache: cachedSnapshots.usage().bytes }) }),
  ];
  const close = async () => {
    for (const forget of forgetSources) forget();
    const refreshed = refresher.stop();
    await Promise.all([requester.close(), previewer.close(), store.close()]);
    patientWrites.disconnect();
    await refreshed;
  };
  const server = await listen(app, { ...env, limits: { isProxy: arrivals.isProxy } }).catch(
    async (error: unknown) => {
      await close();
      throw error;
    },
  );
  logger.info({ url: urlOf(env.host, server.port) }, 'listening');
  if (!access.tokens.isConfigured('operate')) {
    logger.warn('control over HTTP is off. To turn it on, set SYNCLINE_ADMIN_TOKEN_FILE');
  }
  return {
    name: 'api',
    port: server.port,
    readiness,
    stop: async () => {
      stopping.abort();
      await server.close({ graceMs: STOP_GRACE_MS });
      await close();
    },
  };
}

function connect({ url, logger }: { url: string; logger: Logger }) {
  const onError = ({ message }: Error) =>
    logger.warn({ reason: message }, 'redis connection failed');
  const options = { url, manner: 'prompt', onError } as const;
  return {
    redis: connectRedis({ ...options, commandTimeoutMs: COMMAND_TIMEOUT_MS }),
    // A rollback or an approval is one large write, which must not time out in the middle. The reads before this write
    // use the other connection. So the write does not begin if Redis hangs.
    patientWrites: connectRedis(options),
    onError,
  };
}

/**
 * Returns the seconds since each registry was last checked successfully. Omits registries that were never checked
 * successfully.
 */
async function readAges(
  config: Store['config'],
  remembered: RememberedRegistries,
): Promise<ReadonlyMap<string, number>> {
  const names = config.targets().map(({ name }) => name);
  const { registries, nowMs } = await remembered.current.readMany(names);
  const ages = new Map<string, number>();
  for (const [name, { status }] of registries) {
    if (status.lastSuccessAt === undefined) continue;
    ages.set(name, (nowMs - Date.parse(status.lastSuccessAt)) / 1_000);
  }
  return ages;
}

function urlOf(host: string, port: number): string {
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
