import { setTimeout as sleep } from 'node:timers/promises';
import {
  type Config,
  digestOf,
  type Logger,
  type RecurringTask,
  syncTargets,
} from '@syncline/contract';
import {
  type ConfigState,
  editionOf,
  isConfigDocument,
  type PublishedConfig,
  publishConfig,
  publishOver,
  readConfigState,
} from '../stores/config-store.ts';
import type { Store } from '../stores/open-store.ts';
import { redisNowMs } from '../stores/registry-reader.ts';
import { addDueWakeUps } from './due-wake-ups.ts';
import { claimEpoch, trackRegistries } from './registry-index.ts';
import { ScheduleReconciler, wantedSchedule } from './schedules.ts';

/** How often the scheduler compares the schedules in Redis with the config. */
const RECONCILE_EVERY_MS = 30_000;
/** Long enough for a worker to make the next job of a schedule. */
const SECOND_LOOK_AFTER_MS = 3_000;
/** After a failed pass, for example while publishing a config, the next pass starts soon. */
const RETRY_AFTER_MS = 2_000;
/** A scheduler counts as gone only after several failed or slow passes. */
const SEEN_FOR_MS = 3 * RECONCILE_EVERY_MS;
/** How long the data of a registry stays after the config has dropped it. */
const REMOVAL_GRACE_MS = 10 * 60_000;

export interface ReconcilerOptions {
  readonly store: Store;
  readonly logger: Logger;
  readonly metrics: { reconcileRepaired(kind: string, count: number): void };
}

export interface Reconciler extends RecurringTask {
  /** Makes the next pass put this config in force. */
  adopt(config: PublishedConfig): void;
  /** Returns whether a pass has completed. */
  hasPassed(): boolean;
}

/** Makes Redis match the current config: schedules, wake-ups, and data of dropped registries. */
export function createReconciler({ store, logger, metrics }: ReconcilerOptions): Reconciler {
  const { redis, keys, config: follower, reader, queue } = store;
  const schedules = new ScheduleReconciler(store);
  let hasPassed = false;
  /** The config of this process's file, and whether it is new. */
  let own: (PublishedConfig & { readonly digest: string }) | undefined;
  let isNews = false;
  /** The last edition at which this process has seen its own config in force. */
  let edition = 0;
  /** The digest of the config whose due registries have wake-ups. */
  let wokenDigest: string | undefined;

  return {
    everyMs: RECONCILE_EVERY_MS,
    retryAfterMs: RETRY_AFTER_MS,
    hasPassed: () => hasPassed,

    adopt({ input }) {
      own = { input, digest: digestOf(input) };
      isNews = true;
    },

    async pass(signal) {
      await reconcile();
      if (schedules.isSuspicious) {
        await sleep(SECOND_LOOK_AFTER_MS, undefined, { signal });
        await reconcile();
      }
      // Only the status and `doctor` read this key.
      await redis.set(keys.scheduler, store.owner, 'PX', SEEN_FOR_MS);
      hasPassed = true;
    },
  };

  async function reconcile(): Promise<void> {
    const isEmptyRedis = await claimEpoch({ redis, keys });
    if (isEmptyRedis) logger.info({}, 'redis is empty; scheduling all registries');
    await publish();
    await follower.refresh();
    const config = follower.current();
    const digest = follower.digest();
    if (config === undefined || digest === undefined) return;
    await repairSchedules(config);
    await forgetDropped(config);
    if (isEmptyRedis || wokenDigest !== digest) {
      await addDueWakeUps({ queue, reader, config, digest });
      wokenDigest = digest;
    }
  }

  /**
   * Publishes the config at the start and after a change of the file. Also publishes it if Redis has lost the config or
   * its last editions, for example after a failover to a lagging replica, and if another program has changed the config.
   * A scheduler that publishes raises the edition. So a higher edition with another config comes from a scheduler with a
   * newer file, and this process leaves that config in force: schedulers with different files must not overwrite each
   * other's config for ever.
   */
  async function publish(): Promise<void> {
    if (own === undefined) return;
    if (isNews) {
      edition = await publishConfig({ redis, keys }, own);
      isNews = false;
      return;
    }
    const state = await readConfigState({ redis, keys });
    const isLost = state.pointer === '' || editionOf(state) < edition;
    if (!isLost && !(await isChanged(own.digest, state))) {
      if (state.pointer === own.digest) edition = editionOf(state);
      return;
    }
    const restored = await publishOver({ redis, keys }, own, state);
    // Another scheduler has published meanwhile. The next pass looks again.
    if (restored === undefined) return;
    edition = restored;
    if (isLost) {
      // Redis has also lost the syncs since then, so the next step searches for due registries again.
      wokenDigest = undefined;
      return;
    }
    const found = state.pointer;
    logger.warn(
      { found, digest: own.digest },
      'config in Redis was changed by another program; restored',
    );
  }

  async function isChanged(digest: string, state: ConfigState): Promise<boolean> {
    if (state.pointer !== digest) return editionOf(state) === edition;
    const key = keys.configDocument(digest);
    // A value of another type is not a document.
    const text = (await redis.type(key)) === 'string' ? await redis.get(key) : null;
    return text === null || !isConfigDocument(text, digest);
  }

  async function repairSchedules(config: Config): Promise<void> {
    const wanted = syncTargets(config).map(wantedSchedule);
    const nowMs = Math.max(Date.now(), await redisNowMs(redis));
    const changes = await schedules.reconcile(wanted, nowMs);
    for (const [kind, count] of Object.entries(changes)) {
      if (count > 0) metrics.reconcileRepaired(kind, count);
    }
    if (changes.added + changes.retimed + changes.removed + changes.healed === 0) return;
    logger.info({ ...changes, registries: wanted.length }, 'schedules repaired');
  }

  async function forgetDropped(config: Config): Promise<void> {
    const removed = await trackRegistries({
      redis,
      keys,
      names: syncTargets(config).map(({ name }) => name),
      nowMs: await redisNowMs(redis),
      graceMs: REMOVAL_GRACE_MS,
    });
    if (removed.length > 0) logger.info({ removed }, 'data of dropped registries removed');
  }
}
