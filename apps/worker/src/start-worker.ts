import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { redisKeys } from '@syncline/contract';
import {
  connectRedis,
  createBullTickSource,
  createConfigFollower,
  createRedisRunStore,
  createRedisSnapshotStore,
  createRedisStatusPersistence,
  createSyncQueue,
  sweep,
} from '@syncline/redis';
import {
  type ProcessContext,
  readinessOf,
  requireRedisUrl,
  type Service,
  startLoop,
  within,
} from '@syncline/runtime';
import {
  Coordinator,
  createManager,
  createSourceFactory,
  HttpClient,
  IngestPool,
} from '@syncline/sync';

/** How often the fleet looks for what was left undone; with the lease's 12 s, what a kill costs. */
const SWEEP_EVERY_MS = 4_000;
const STOP_GRACE_MS = 10_000;
const LAST_PASS_MS = 1_000;

/**
 * A worker: takes jobs from the queue and syncs what they ask for. Any number of them share the work.
 * It waits for a Redis that is not there yet, and goes on after one that was away.
 */
export async function startWorker({ env, logger, metrics }: ProcessContext): Promise<Service> {
  const url = requireRedisUrl(env);
  const keys = redisKeys(env.prefix);
  const onError = (error: Error) => logger.warn({ err: error }, 'the Redis connection has trouble');
  const redis = connectRedis({ url, manner: 'patient', onError });
  const blocking = connectRedis({ url, manner: 'patient', onError });
  const queue = createSyncQueue({ redis, keys, onError });
  const config = createConfigFollower({ redis, keys, logger });
  const http = new HttpClient({ userAgent: () => config.current()?.network.userAgent });
  const ingest = new IngestPool({ heavyRuns: env.heavyRuns });
  const snapshots = createRedisSnapshotStore({ redis, keys });
  const owner = `${hostname()}-${process.pid}-${randomUUID().slice(0, 8)}`;

  const coordinator = new Coordinator({
    manager: createManager({ createSource: createSourceFactory({ http }), ingest, snapshots }),
    runStore: createRedisRunStore({ redis, keys, logger }),
    status: createRedisStatusPersistence({ redis, keys, config }),
    config,
    tickSource: createBullTickSource({
      redis: blocking,
      keys,
      queue,
      concurrency: env.concurrency,
      logger,
    }),
    logger,
    observer: metrics,
    owner,
    stopGraceMs: STOP_GRACE_MS,
  });
  await coordinator.start();

  const sweeper = startLoop({
    everyMs: SWEEP_EVERY_MS,
    pass: async () => {
      await config.refresh();
      const registries = config.current()?.registries.map(({ name }) => name) ?? [];
      const hints = await sweep({ redis, keys, queue, registries, owner, everyMs: SWEEP_EVERY_MS });
      if (hints !== undefined && hints > 0) logger.info({ hints }, 'swept up what was left undone');
    },
    onError: (error) => logger.warn({ err: error }, 'could not sweep'),
  });

  return {
    name: 'worker',
    readiness: async () =>
      readinessOf([
        ...(redis.status === 'ready' ? [] : [`Redis is ${redis.status}`]),
        ...(config.current() === undefined ? ['no config has been published'] : []),
      ]),
    stop: async () => {
      await coordinator.stop();
      const swept = sweeper.stop();
      await queue.close();
      redis.disconnect();
      blocking.disconnect();
      // A pass that waits for a Redis that is away does so for ever, and leaves nothing undone.
      await within(LAST_PASS_MS, swept).catch(() => undefined);
      await Promise.all([ingest.close(), http.close()]);
    },
  };
}
