import { batchesOf, fnv1a, JOB_NAME, mapInBatches, type RegistryConfig } from '@syncline/contract';
import { type CronSchedule, nextFiringMs } from '@syncline/sync';
import type { RepeatOptions } from 'bullmq';
import {
  listScheduledJobs,
  type QueueAccess,
  readSchedules,
  removeOrphan,
  type ScheduledJob,
  type StoredSchedule,
  stateOfScheduledJob,
} from '../queue/bullmq-internals.ts';
import { FAILED_KEPT, TICK_PRIORITY } from '../queue/queue.ts';

/** When a registry gets ticks: at an interval, or by a cron pattern. */
export type WantedSchedule = { readonly registry: string } & (
  | { readonly intervalMs: number }
  | CronSchedule
);

/** Returns the schedule that the config gives a registry. */
export function wantedSchedule({ name, schedule, syncPolicy }: RegistryConfig): WantedSchedule {
  const registry = name;
  return schedule === undefined
    ? { registry, intervalMs: syncPolicy.interval }
    : { registry, ...schedule };
}

/** The number of changes in one pass. */
export interface ScheduleChanges {
  readonly added: number;
  readonly retimed: number;
  readonly removed: number;
  /** The number of dead schedules that work again. */
  readonly healed: number;
}

const BATCH_SIZE = 500;
/** A tick that is this late and in no list of the queue is lost. */
const LOST_AFTER_MS = 15_000;
/** The clocks of two synchronised machines differ by less. */
const CLOCK_SLACK_MS = 10_000;

/**
 * Returns the fixed phase of a registry's ticks within its interval. The phases of all registries are evenly spread.
 * The phase is never 0, because BullMQ treats 0 as absent. The phase is less than the interval, because BullMQ
 * otherwise misplaces the next tick.
 */
export function scheduleOffsetMs(wanted: { registry: string; intervalMs: number }): number {
  return 1 + (fnv1a(wanted.registry) % (wanted.intervalMs - 1));
}

function repeatOf(wanted: WantedSchedule): RepeatOptions {
  if ('pattern' in wanted) return { pattern: wanted.pattern, tz: wanted.timezone };
  return { every: wanted.intervalMs, offset: scheduleOffsetMs(wanted) };
}

function isSame(wanted: WantedSchedule, { repeat }: StoredSchedule): boolean {
  // BullMQ gives a pattern an offset without a meaning.
  if ('pattern' in wanted) {
    return !repeat.every && repeat.pattern === wanted.pattern && repeat.tz === wanted.timezone;
  }
  const isSamePhase = repeat.offset === String(scheduleOffsetMs(wanted));
  return !repeat.pattern && repeat.every === String(wanted.intervalMs) && isSamePhase;
}

/**
 * Returns whether the next tick is later than a correct clock would set it. BullMQ uses the clock of the worker that
 * takes the previous tick. A worker whose clock is ahead would delay the registry for all workers.
 */
function isTooLate(wanted: WantedSchedule, { nextAtMs }: StoredSchedule, nowMs: number): boolean {
  const latestMs =
    'pattern' in wanted ? nextFiringMs(wanted, nowMs) : nowMs + 2 * wanted.intervalMs;
  return nextAtMs > latestMs + CLOCK_SLACK_MS;
}

/**
 * Makes the Job Schedulers in Redis match the config. Several processes may do so at once, because they all write the
 * same values. Writes only differences, because an upsert moves a waiting job to the end of the queue.
 */
export class ScheduleReconciler {
  readonly #access: QueueAccess;
  /** Schedules without a next job in the last pass, as `<registry>@<next>`. A worker may be about to make the job. */
  #suspects = new Set<string>();

  constructor(access: QueueAccess) {
    this.#access = access;
  }

  /** Whether a second pass must decide if a schedule is dead. */
  get isSuspicious(): boolean {
    return this.#suspects.size > 0;
  }

  /** Repairs the schedules. @param nowMs the later time of this machine's clock and Redis's clock */
  async reconcile(wanted: readonly WantedSchedule[], nowMs = Date.now()): Promise<ScheduleChanges> {
    const stored = await this.#list(nowMs);
    const added: WantedSchedule[] = [];
    const renewed: WantedSchedule[] = [];
    const replaced: StoredSchedule[] = [];
    const suspects = new Set<string>();
    let healed = 0;
    for (const schedule of wanted) {
      const { registry } = schedule;
      const found = stored.get(registry);
      stored.delete(registry);
      if (found === undefined) {
        added.push(schedule);
        continue;
      }
      const isRetimed = !isSame(schedule, found);
      const isAhead = isTooLate(schedule, found, nowMs);
      if (!isRetimed && !isAhead && found.hasNextJob) continue;
      const sight = `${registry}@${found.nextAtMs}`;
      if (!isRetimed && !isAhead && !this.#suspects.has(sight)) {
        suspects.add(sight);
        continue;
      }
      renewed.push(schedule);
      replaced.push(found);
      if (!isRetimed) healed += 1;
    }
    this.#suspects = suspects;
    const gone = [...stored.values()];
    // Removes before it adds, even if only the time differs, because an upsert keeps the phase of the old interval.
    await this.#remove([...gone, ...replaced]);
    await this.#upsert([...added, ...renewed]);
    const retimed = renewed.length - healed;
    return { added: added.length, retimed, removed: gone.length, healed };
  }

  async #list(nowMs: number): Promise<Map<string, StoredSchedule>> {
    const stored: StoredSchedule[] = [];
    for (const batch of batchesOf(await listScheduledJobs(this.#access), BATCH_SIZE)) {
      stored.push(...(await readSchedules(this.#access, batch)));
    }
    // A late job may wait in the queue. A job that is in no list of the queue would wait forever.
    const late = stored.filter((job) => job.hasNextJob && nowMs - job.nextAtMs > LOST_AFTER_MS);
    const lost = new Set<string>();
    await mapInBatches(late.slice(0, BATCH_SIZE), BATCH_SIZE, async (job) => {
      if ((await stateOfScheduledJob(this.#access, job)) === 'unknown') lost.add(job.registry);
    });
    return new Map(
      stored.map((schedule) => [
        schedule.registry,
        lost.has(schedule.registry) ? { ...schedule, hasNextJob: false } : schedule,
      ]),
    );
  }

  async #upsert(schedules: readonly WantedSchedule[]): Promise<void> {
    const opts = {
      priority: TICK_PRIORITY,
      attempts: 1,
      removeOnComplete: true,
      removeOnFail: { count: FAILED_KEPT },
    };
    await mapInBatches(schedules, BATCH_SIZE, (schedule) => {
      const { registry } = schedule;
      const data = { v: 1, registry, trigger: 'schedule' } as const;
      const job = { name: JOB_NAME, data, opts };
      return this.#access.queue.upsertJobScheduler(registry, repeatOf(schedule), job);
    });
  }

  async #remove(jobs: readonly ScheduledJob[]): Promise<void> {
    await mapInBatches(jobs, BATCH_SIZE, async (job) => {
      await this.#access.queue.removeJobScheduler(job.registry);
      await removeOrphan(this.#access, job);
    });
  }
}
