import { type ConfigInput, redisKeys, type SyncStatus, statusSchema } from '@syncline/contract';
import { publishConfig } from '@syncline/redis';
import { allowingLocalTargets } from '../../support/config.ts';
import type { Lifetime } from '../../support/lifetime.ts';
import { connect, freshPrefix } from '../../support/redis.ts';
import type { RedisServerHandle } from '../../support/redis-server.ts';
import { PROGRAMS } from '../../support/system.ts';
import { type MeasuredProcess, startMeasured } from './measured-process.ts';
import { openQueue, runTick } from './queue.ts';

/** A Syncline with only a worker process: the benchmark does the scheduler's part. */
export interface BenchedSyncline {
  readonly prefix: string;
  readonly queue: ReturnType<typeof openQueue>;
  /** Starts a worker, and does not count the usage of its start. */
  startWorker(options?: {
    concurrency?: number;
    env?: Readonly<Record<string, string>>;
    /** Relative to the project's root. Default: the bundled worker. */
    entry?: string;
  }): Promise<MeasuredProcess>;
  /** Runs a registry, and returns the time from the job in the queue to its end. */
  run(registry: string): Promise<number>;
  status(registry: string): Promise<SyncStatus>;
}

/** Puts a config in force under its own prefix. */
export async function benchSyncline(
  redis: RedisServerHandle,
  config: ConfigInput,
  lifetime: Lifetime,
): Promise<BenchedSyncline> {
  const { url } = redis;
  const prefix = freshPrefix({ url, lifetime });
  const keys = redisKeys(prefix);
  const client = connect(url, lifetime);
  const input = allowingLocalTargets(config);
  await publishConfig({ redis: client, keys }, { input });
  const queue = openQueue(url, prefix, lifetime);
  return {
    prefix,
    queue,
    run: (registry) => runTick({ queue, url, prefix }, registry),
    startWorker: async ({ concurrency, env, entry = PROGRAMS.worker } = {}) => {
      const worker = await startMeasured({
        name: 'syncline worker',
        entry,
        env: {
          REDIS_URL: url,
          SYNCLINE_PREFIX: prefix,
          ...env,
          ...(concurrency !== undefined && { SYNCLINE_CONCURRENCY: String(concurrency) }),
        },
        lifetime,
      });
      await worker.process.waitForLog(({ msg }) => msg === 'started');
      worker.resetUsage();
      return worker;
    },
    status: async (registry) => statusSchema.parse(await client.hgetall(keys.status(registry))),
  };
}
