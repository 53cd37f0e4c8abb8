import { systemClock } from '@syncline/contract';
import {
  connectRedis,
  createBullTickSource,
  createRedisRequestBudgets,
  createRedisRunStore,
  createRedisStatusPersistence,
  createSweeper,
  openStore,
  type Redis,
  startPreviewWorker,
} from '@syncline/redis';
import {
  FILE_CALL_THREADS,
  type Logger,
  type Loop,
  type ProcessContext,
  readinessOf,
  requireRedisUrl,
  type Service,
  searchPath,
  startLoop,
  within,
} from '@syncline/runtime';
import type { SnapshotStore } from '@syncline/snapshot';
import {
  createAddressGuard,
  createSourceFactory,
  Git,
  HttpClient,
  proxyFor,
} from '@syncline/sources';
import {
  Coordinator,
  createManager,
  IngestPool,
  type Manager,
  type RunStore,
  type StatusPersistence,
} from '@syncline/sync';
import {
  CANARY_EVERY_MS,
  type Canary,
  type CanaryOptions,
  createCanary,
  WEDGED_AFTER_MS,
} from './canary.ts';
import { createPreviewHandler } from './preview-handler.ts';

const STOP_GRACE_MS = 10_000;
const LAST_PASS_MS = 1_000;
/** They must not take what syncs need. */
const PREVIEWS_AT_ONCE = 1;

/** What a worker's runs write to. */
export interface WorkerStores {
  readonly runStore: RunStore;
  readonly snapshots: SnapshotStore;
  readonly status: StatusPersistence;
}

/** Puts something around what a worker is made of: who watches its runs need not be known here. */
export interface WorkerDecorator {
  stores(stores: WorkerStores): WorkerStores;
  manager(manager: Manager): Manager;
}

const UNDECORATED: WorkerDecorator = { stores: (stores) => stores, manager: (manager) => manager };

export interface StartWorkerOptions {
  readonly decorate?: WorkerDecorator;
  /** For how long its loop must stand still, while Redis answers, for {@link Service.liveness} to say so. */
  readonly wedgedAfterMs?: number;
  /** Heap of each thread for heavy work. Default: that of {@link IngestPool}. */
  readonly threadHeapMb?: number;
}

/**
 * A worker: takes jobs from the queue and syncs what they ask for. Any number of them share the work.
 * It waits for a Redis that is not there yet, and goes on after one that was away.
 */
export async function startWorker(
  { env, logger, metrics }: ProcessContext,
  {
    decorate = UNDECORATED,
    wedgedAfterMs = WEDGED_AFTER_MS,
    threadHeapMb,
  }: StartWorkerOptions = {},
): Promise<Service & Required<Pick<Service, 'liveness'>>> {
  const url = requireRedisUrl(env);
  const onError = (error: Error) => logger.warn({ err: error }, 'the Redis connection has trouble');
  const redis = connectRedis({ url, manner: 'patient', onError });
  const blocking = connectRedis({ url, manner: 'patient', onError });
  const store = openStore({ redis, prefix: env.prefix, logger });
  const { keys, queue, config, owner } = store;
  const userAgent = () => config.current()?.network.userAgent;
  const guard = createAddressGuard({ allow: () => config.current()?.network.allow ?? [] });
  const proxies = { http: env.httpProxy, https: env.httpsProxy, except: env.noProxy };
  const budgets = createRedisRequestBudgets({
    redis,
    keys,
    budgets: () => config.current()?.network.budgets ?? [],
  });
  const http = new HttpClient({ userAgent, guard, proxies, budgets });
  const git = new Git({
    dataDir: env.dataDir,
    searchPath: searchPath(),
    guard,
    budgets,
    proxyFor: (target) => proxyFor(target, proxies),
    userAgent,
  });
  const ingest = new IngestPool({
    heavyRuns: env.heavyRuns,
    ...(threadHeapMb === undefined ? {} : { threadHeapMb }),
  });
  const { runStore, snapshots, status } = decorate.stores({
    runStore: createRedisRunStore({ redis, keys, logger }),
    snapshots: store.snapshots,
    status: createRedisStatusPersistence({ redis, keys, config }),
  });

  const createSource = createSourceFactory({ http, git, fileThreads: FILE_CALL_THREADS });

  const tickSource = createBullTickSource({
    blocking,
    redis,
    keys,
    queue,
    concurrency: env.concurrency,
    logger,
  });
  const coordinator = new Coordinator({
    manager: decorate.manager(createManager({ createSource, ingest, snapshots })),
    runStore,
    status,
    config,
    tickSource,
    logger,
    observer: metrics,
    owner,
    stopGraceMs: STOP_GRACE_MS,
  });
  await coordinator.start();

  const previews = startPreviewWorker({
    redis,
    keys,
    logger,
    concurrency: PREVIEWS_AT_ONCE,
    handle: createPreviewHandler({
      config,
      registries: store.reader,
      previews: { createSource, ingest, snapshots, clock: systemClock, logger },
      metrics,
    }),
  });

  const sweeper = startLoop({
    ...createSweeper({ store, logger }),
    onError: (error) => logger.warn({ err: error }, 'could not sweep'),
  });
  const watcher = startWatcher({ pulse: tickSource.pulse, redis, logger, wedgedAfterMs });

  return {
    name: 'worker',
    readiness: async () =>
      readinessOf([
        ...(redis.status === 'ready' ? [] : [`Redis is ${redis.status}`]),
        ...(config.current() === undefined ? ['no config has been published'] : []),
      ]),
    liveness: watcher.problems,
    stop: async () => {
      await watcher.stop();
      await Promise.all([coordinator.stop(), previews.stop()]);
      const swept = sweeper.stop();
      await store.close();
      blocking.disconnect();
      // A pass that waits for a Redis that is away does so for ever, and leaves nothing undone.
      await within(LAST_PASS_MS, swept).catch(() => undefined);
      await Promise.all([ingest.close(), http.close()]);
    },
  };
}

/** Keeps an eye on the worker's loop, and logs when it has stopped to turn. */
function startWatcher({
  pulse,
  redis,
  logger,
  wedgedAfterMs,
}: Pick<CanaryOptions, 'pulse' | 'wedgedAfterMs'> & {
  redis: Redis;
  logger: Logger;
}): Pick<Loop, 'stop'> & Pick<Canary, 'problems'> {
  const { look, problems } = createCanary({
    pulse,
    askStore: async () => {
      if (redis.status !== 'ready') throw new Error(`Redis is ${redis.status}`);
      await redis.ping();
    },
    everyMs: CANARY_EVERY_MS,
    wedgedAfterMs,
  });
  let isKnown = false;
  const { stop } = startLoop({
    everyMs: CANARY_EVERY_MS,
    pass: async () => {
      await look();
      const found = problems();
      if (found.length > 0 && !isKnown) logger.error({ problems: found }, 'the worker is wedged');
      isKnown = found.length > 0;
    },
    onError: (error) => logger.warn({ err: error }, 'could not look at the worker'),
  });
  return { stop, problems };
}
