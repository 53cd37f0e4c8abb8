import { type Config, type Logger, syncTargets } from '@syncline/contract';
import {
  type ConfigDocument,
  claimEpoch,
  configEdition,
  publishConfig,
  redisNowMs,
  type ScheduleReconciler,
  type Store,
  trackRegistries,
  wantedSchedule,
} from '@syncline/redis';
import { addDueHints } from './due-hints.ts';

/** How long the data of a registry outlives its entry in the config. */
const REMOVAL_GRACE_MS = 10 * 60_000;

export interface ReconcileDependencies {
  readonly store: Store;
  readonly schedules: ScheduleReconciler;
  readonly logger: Logger;
  readonly metrics: { reconcileRepaired(kind: string, count: number): void };
}

export interface Reconcile {
  /** Has the next pass put this config in force. */
  adopt(document: ConfigDocument): void;
  /** Holds what the config in force wants against what Redis has, and mends the difference. */
  pass(): Promise<void>;
}

export function createReconcile(deps: ReconcileDependencies): Reconcile {
  const { store, schedules, logger, metrics } = deps;
  const { redis, keys, config: follower, reader, queue } = store;
  /** What our own file has, and whether Redis is to be told. */
  let own: ConfigDocument | undefined;
  let isNews = false;
  /** The edition that our last publication was. */
  let edition = 0;
  /** The config whose due registries have been hinted at. */
  let hintedDigest: string | undefined;

  return {
    adopt(document) {
      own = document;
      isNews = true;
    },

    async pass() {
      const isEmptyRedis = await claimEpoch({ redis, keys });
      if (isEmptyRedis) logger.info({}, 'this Redis has no data of ours: scheduling everything');
      await publish();
      await follower.refresh();
      const config = follower.current();
      const digest = follower.digest();
      if (config === undefined || digest === undefined) return;
      await mendSchedules(config);
      await forgetDropped(config);
      if (isEmptyRedis || hintedDigest !== digest) {
        await addDueHints({ queue, reader, config, digest });
        hintedDigest = digest;
      }
    },
  };

  /**
   * At start, and when our own file has changed; and where Redis has lost what was in force: all of it, or
   * the last editions, as after a failover to a replica that lagged. Never otherwise: replicas with
   * different files must not undo each other.
   */
  async function publish(): Promise<void> {
    if (own === undefined) return;
    // What is no text is no config: it is replaced.
    const isInForce = (await redis.type(keys.config)) === 'string';
    const isLost = (await configEdition({ redis, keys })) < edition;
    if (!isNews && isInForce && !isLost) return;
    edition = await publishConfig({ redis, keys }, own);
    isNews = false;
    // What was synced since is lost too, and who is due has to be looked for again.
    if (isLost) hintedDigest = undefined;
  }

  async function mendSchedules(config: Config): Promise<void> {
    const wanted = syncTargets(config).map(wantedSchedule);
    const nowMs = Math.max(Date.now(), await redisNowMs(redis));
    const changes = await schedules.reconcile(wanted, nowMs);
    for (const [kind, count] of Object.entries(changes)) {
      if (count > 0) metrics.reconcileRepaired(kind, count);
    }
    if (changes.added + changes.retimed + changes.removed + changes.healed === 0) return;
    logger.info({ ...changes, registries: wanted.length }, 'mended the schedules');
  }

  async function forgetDropped(config: Config): Promise<void> {
    const removed = await trackRegistries({
      redis,
      keys,
      names: syncTargets(config).map(({ name }) => name),
      nowMs: await redisNowMs(redis),
      graceMs: REMOVAL_GRACE_MS,
    });
    if (removed.length > 0) logger.info({ removed }, 'removed the data of dropped registries');
  }
}
