import { setTimeout as sleep } from 'node:timers/promises';
import { type Config, type Logger, type RecurringTask, syncTargets } from '@syncline/contract';
import { type ConfigDocument, configEdition, publishConfig } from '../stores/config-store.ts';
import type { Store } from '../stores/open-store.ts';
import { redisNowMs } from '../stores/registry-reader.ts';
import { addDueWakeUps } from './due-wake-ups.ts';
import { claimEpoch, trackRegistries } from './registry-index.ts';
import { ScheduleReconciler, wantedSchedule } from './schedules.ts';

/** How often what the config wants is compared with what Redis has. */
const RECONCILE_EVERY_MS = 30_000;
/** A worker that is making the next job of a schedule has made it by then. */
const SECOND_LOOK_AFTER_MS = 3_000;
/** What a pass was to do, such as to put a config in force, must not wait for the next one. */
const RETRY_AFTER_MS = 2_000;
/** A pass may fail, or take long, without a scheduler counting as gone. */
const SEEN_FOR_MS = 3 * RECONCILE_EVERY_MS;
/** How long the data of a registry outlives its entry in the config. */
const REMOVAL_GRACE_MS = 10 * 60_000;

export interface ReconcilerOptions {
  readonly store: Store;
  readonly logger: Logger;
  readonly metrics: { reconcileRepaired(kind: string, count: number): void };
}

export interface Reconciler extends RecurringTask {
  /** Has the next pass put this config in force. */
  adopt(document: ConfigDocument): void;
  /** Whether a pass has reached its end. */
  hasPassed(): boolean;
}

/** Compares what the config in force wants with what Redis has, and corrects the difference. */
export function createReconciler({ store, logger, metrics }: ReconcilerOptions): Reconciler {
  const { redis, keys, config: follower, reader, queue } = store;
  const schedules = new ScheduleReconciler(store);
  let hasPassed = false;
  /** What our own file has, and whether Redis is to be told. */
  let own: ConfigDocument | undefined;
  let isNews = false;
  /** The edition that our last publication was. */
  let edition = 0;
  /** The config whose due registries have been woken. */
  let wokenDigest: string | undefined;

  return {
    everyMs: RECONCILE_EVERY_MS,
    retryAfterMs: RETRY_AFTER_MS,
    hasPassed: () => hasPassed,

    adopt(document) {
      own = document;
      isNews = true;
    },

    async pass(signal) {
      await reconcile();
      if (schedules.isSuspicious) {
        await sleep(SECOND_LOOK_AFTER_MS, undefined, { signal });
        await reconcile();
      }
      // Nothing waits for it: it is there to be looked at.
      await redis.set(keys.scheduler, store.owner, 'PX', SEEN_FOR_MS);
      hasPassed = true;
    },
  };

  async function reconcile(): Promise<void> {
    const isEmptyRedis = await claimEpoch({ redis, keys });
    if (isEmptyRedis) logger.info({}, 'this Redis has no data of ours: scheduling everything');
    await publish();
    await follower.refresh();
    const config = follower.current();
    const digest = follower.digest();
    if (config === undefined || digest === undefined) return;
    await mendSchedules(config);
    await forgetDropped(config);
    if (isEmptyRedis || wokenDigest !== digest) {
      await addDueWakeUps({ queue, reader, config, digest });
      wokenDigest = digest;
    }
  }

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
    if (isLost) wokenDigest = undefined;
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
