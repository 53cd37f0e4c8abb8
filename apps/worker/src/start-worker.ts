import {
  connectRedis,
  createBullTickSource,
  createRedisRequestBudgets,
  createRedisRunStore,
  createRedisStatusPersistence,
  createSweeper,
  openStore,
  startPreviewWorker,
} from '@syncline/redis';
import {
  type ProcessContext,
  readinessOf,
  requireRedisUrl,
  type Service,
  startLoop,
  within,
} from '@syncline/runtime';
import type { SnapshotStore } from '@syncline/snapshot';
import type { Manager, RunStore, StatusPersistence } from '@syncline/sync';
import { Coordinator } from '@syncline/sync/coordinator';
import { createCanary, WEDGED_AFTER_MS } from './canary.ts';
import { openPerformer } from './performer.ts';
import { createPreviewHandler } from './preview-handler.ts';
import { openRunMemory } from './run-memory.ts';

const STOP_GRACE_MS = 10_000;
const LAST_PASS_MS = 1_000;
/** A small number, because previews must not use the capacity that syncs need. */
const PREVIEWS = { concurrency: 1 };

/** The stores that the runs of a worker write to. */
export interface WorkerStores {
  readonly runStore: RunStore;
  readonly snapshots: SnapshotStore;
  readonly status: StatusPersistence;
}

/** Wraps parts of a worker, so that tests can observe its runs. */
export interface WorkerDecorator {
  stores(stores: WorkerStores): WorkerStores;
  manager(manager: Manager): Manager;
}

const UNDECORATED: WorkerDecorator = { stores: (stores) => stores, manager: (manager) => manager };

export interface StartWorkerOptions {
  readonly decorate?: WorkerDecorator;
  /**
   * How long the loop must make no progress, while Redis answers, before {@link Service.liveness} reports
   * it.
   */
  readonly wedgedAfterMs?: number;
  /** The heap size of each thread for heavy work. Default: the default of the performer. */
  readonly threadHeapMb?: number;
}

/**
 * Starts a worker, which takes jobs from the queue and syncs the registries that the jobs name. Any number
 * of workers share the work. The worker waits until Redis is available, and continues after an outage.
 */
export async function startWorker(
  { env, logger, metrics, access, memory: plan }: ProcessContext,
  {
    decorate = UNDECORATED,
    wedgedAfterMs = WEDGED_AFTER_MS,
    threadHeapMb,
  }: StartWorkerOptions = {},
): Promise<Service & Required<Pick<Service, 'liveness'>>> {
  const url = requireRedisUrl(env);
  const onError = ({ message }: Error) =>
    logger.warn({ reason: message }, 'redis connection failed');
  const redis = connectRedis({ url, manner: 'patient', onError });
  const blocking = connectRedis({ url, manner: 'patient', onError });
  const store = openStore({ redis, prefix: env.prefix, storedBytes: env.storedBytes, logger });
  const { keys, queue, config, owner } = store;
  access.tokens.follow(() => config.current()?.access.tokens ?? []);
  const { runStore, snapshots, status } = decorate.stores({
    runStore: createRedisRunStore({ redis, keys, logger }),
    snapshots: store.snapshots,
    status: createRedisStatusPersistence({ redis, keys, config }),
  });
  const network = () => config.current()?.network;
  const budgets = createRedisRequestBudgets({
    redis,
    keys,
    budgets: () => network()?.budgets ?? [],
  });
  const runMemory = openRunMemory({ env, plan });
  const { memory } = runMemory;
  const performer = openPerformer({
    env,
    logger,
    network,
    budgets,
    snapshots,
    memory,
    threadHeapMb,
  });
  const reporting = runMemory.report({ redis, keys, logger, metrics, owner, performer });

  const tickSource = createBullTickSource({
    blocking,
    redis,
    keys,
    queue,
    logger,
    ...runMemory.jobs,
  });
  const coordinator = new Coordinator({
    manager: decorate.manager(performer.manager),
    memory,
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

  const { preview } = performer;
  const handle = createPreviewHandler({
    config,
    registries: store.reader,
    preview,
    logger,
    metrics,
  });
  const previews = startPreviewWorker({ redis, keys, logger, handle, ...PREVIEWS });

  const sweeper = startLoop({
    ...createSweeper({ store, logger }),
    onError: (error) => logger.warn({ err: error }, 'sweep failed'),
  });
  const canary = createCanary({ pulse: tickSource.pulse, redis, logger, wedgedAfterMs });
  const watching = startLoop({
    ...canary,
    onError: (error) => logger.warn({ err: error }, 'check of the worker failed'),
  });

  return {
    name: 'worker',
    readiness: async () =>
      readinessOf([
        ...(redis.status === 'ready' ? [] : [`Redis is ${redis.status}`]),
        ...(config.current() === undefined ? ['no config has been published'] : []),
      ]),
    liveness: canary.problems,
    stop: async () => {
      await watching.stop();
      await reporting.stop();
      await Promise.all([coordinator.stop(), previews.stop()]);
      const swept = sweeper.stop();
      await store.close();
      blocking.disconnect();
      // While Redis is unavailable, a pass never ends. Ending it early loses nothing.
      await within(LAST_PASS_MS, swept).catch(() => undefined);
      await performer.close();
    },
  };
}
