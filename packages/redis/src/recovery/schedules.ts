import { batchesOf, fnv1a, JOB_NAME, type RegistryConfig } from '@syncline/contract';
import { type CronSchedule, nextFiringMs } from '@syncline/sync';
import type { RepeatOptions } from 'bullmq';
import {
  listScheduledJobs,
  type QueueAccess,
  readSchedule,
  removeOrphan,
  type ScheduledJob,
  type StoredRepeat,
  stateOfScheduledJob,
} from '../queue/bullmq-internals.ts';
import { TICK_PRIORITY } from '../queue/queue.ts';

/** When a registry gets ticks: at an interval, or by a cron pattern. */
export type WantedSchedule = { readonly registry: string } & (
  | { readonly intervalMs: number }
  | CronSchedule
);

/** Returns the schedule of a registry by the config. */
export function wantedSchedule({ name, schedule, syncPolicy }: RegistryConfig): WantedSchedule {
  const registry = name;
  return schedule === undefined
    ? { registry, intervalMs: syncPolicy.interval }
    : { registry, ...schedule };
}

/** A Job Scheduler as Redis has it. */
interface StoredSchedule {
  readonly nextAtMs: number;
  readonly repeat: StoredRepeat;
  /** Whether the next job exists. Without it, the schedule is dead. */
  readonly hasNextJob: boolean;
}

/** What a pass has changed. */
export interface ScheduleChanges {
  readonly added: number;
  readonly retimed: number;
  readonly removed: number;
  /** Dead schedules that work again. */
  readonly healed: number;
}

const BATCH_SIZE = 500;
/** A tick that is this late and in no list of the queue is lost. */
const LOST_AFTER_MS = 15_000;
/** Synchronised clocks differ by less. */
const CLOCK_SLACK_MS = 10_000;

/**
 * Returns the phase of a registry's ticks within its interval. It never changes, and the phases of all registries are
 * spread evenly. It is never 0, which BullMQ takes for absent, and less than the interval, because BullMQ otherwise
 * misplaces the next tick.
 */
export function scheduleOffsetMs({
  registry,
  intervalMs,
}: {
  registry: string;
  intervalMs: number;
}): number {
  return 1 + (fnv1a(registry) % (intervalMs - 1));
}

function repeatOf(wanted: WantedSchedule): RepeatOptions {
  if ('pattern' in wanted) return { pattern: wanted.pattern, tz: wanted.timezone };
  return { every: wanted.intervalMs, offset: scheduleOffsetMs(wanted) };
}

function isSame(wanted: WantedSchedule, { repeat }: StoredSchedule): boolean {
  // The offset that BullMQ gives to a pattern has no meaning.
  if ('pattern' in wanted) {
    return !repeat.every && repeat.pattern === wanted.pattern && repeat.tz === wanted.timezone;
  }
  const isSamePhase = repeat.offset === String(scheduleOffsetMs(wanted));
  return !repeat.pattern && repeat.every === String(wanted.intervalMs) && isSamePhase;
}

/**
 * Returns whether the next tick is later than a correct clock would set it. BullMQ uses the clock of the worker that takes
 * the tick before. A worker whose clock is ahead would delay the registry for all workers.
 */
function isTooLate(wanted: WantedSchedule, { nextAtMs }: StoredSchedule, nowMs: number): boolean {
  const latestMs =
    'pattern' in wanted ? nextFiringMs(wanted, nowMs) : nowMs + 2 * wanted.intervalMs;
  return nextAtMs > latestMs + CLOCK_SLACK_MS;
}

/**
 * Makes the Job Schedulers in Redis match the config. Any number of processes may do so at once, because all write the
 * same. It writes only differences, because an upsert moves a waiting job to the end of the queue.
 */
export class ScheduleReconciler {
  readonly #access: QueueAccess;
  /** Schedules without a next job in the last pass, as `<registry>@<next>`. A worker may be about to make it. */
  #suspects = new Set<string>();

  constructor(access: QueueAccess) {
    this.#access = access;
  }

  /** Whether only a second pass can tell if a schedule is dead. */
  get isSuspicious(): boolean {
    return this.#suspects.size > 0;
  }

  /** @param nowMs the later time of this machine's clock and Redis's */
  async reconcile(wanted: readonly WantedSchedule[], nowMs = Date.now()): Promise<ScheduleChanges> {
    const stored = await this.#list(nowMs);
    const added: WantedSchedule[] = [];
    const renewed: WantedSchedule[] = [];
    const replaced: ScheduledJob[] = [];
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
      const { nextAtMs } = found;
      const isRetimed = !isSame(schedule, found);
      const isAhead = isTooLate(schedule, found, nowMs);
      if (!isRetimed && !isAhead && found.hasNextJob) continue;
      const sight = `${registry}@${nextAtMs}`;
      if (!isRetimed && !isAhead && !this.#suspects.has(sight)) {
        suspects.add(sight);
        continue;
      }
      renewed.push(schedule);
      replaced.push({ registry, nextAtMs });
      if (!isRetimed) healed += 1;
    }
    this.#suspects = suspects;
    const gone = [...stored].map(([registry, { nextAtMs }]) => ({ registry, nextAtMs }));
    // Removed first, also if only the time differs: an upsert keeps the phase of the old interval.
    await this.#remove([...gone, ...replaced]);
    await this.#upsert([...added, ...renewed]);
    return {
      added: added.length,
      retimed: renewed.length - healed,
      removed: gone.length,
      healed,
    };
  }

  /** Returns the number of Job Schedulers. */
  count(): Promise<number> {
    return this.#access.queue.getJobSchedulersCount();
  }

  async #list(nowMs: number): Promise<Map<string, StoredSchedule>> {
    const stored = new Map<string, StoredSchedule>();
    const entries = await listScheduledJobs(this.#access);
    for (const batch of batchesOf(entries, BATCH_SIZE)) {
      const found = await Promise.all(batch.map((job) => readSchedule(this.#access, job)));
      for (const [index, { registry, nextAtMs }] of batch.entries()) {
        const schedule = found[index];
        if (schedule !== undefined) stored.set(registry, { nextAtMs, ...schedule });
      }
    }
    await this.#checkLateOnes(stored, nowMs);
    return stored;
  }

  /** A late job may wait in the queue. One that is in no list of the queue waits for ever. */
  async #checkLateOnes(stored: Map<string, StoredSchedule>, nowMs: number): Promise<void> {
    const late = [...stored]
      .filter(([, { nextAtMs, hasNextJob }]) => hasNextJob && nowMs - nextAtMs > LOST_AFTER_MS)
      .slice(0, BATCH_SIZE);
    const states = await Promise.all(
      late.map(([registry, { nextAtMs }]) =>
        stateOfScheduledJob(this.#access, { registry, nextAtMs }),
      ),
    );
    for (const [index, [registry, schedule]] of late.entries()) {
      if (states[index] === 'unknown') stored.set(registry, { ...schedule, hasNextJob: false });
    }
  }

  async #upsert(schedules: readonly WantedSchedule[]): Promise<void> {
    for (const batch of batchesOf(schedules, BATCH_SIZE)) {
      await Promise.all(
        batch.map((schedule) =>
          this.#access.queue.upsertJobScheduler(schedule.registry, repeatOf(schedule), {
            name: JOB_NAME,
            data: { v: 1, registry: schedule.registry, trigger: 'schedule' },
            opts: {
              priority: TICK_PRIORITY,
              attempts: 1,
              removeOnComplete: true,
              removeOnFail: { count: 1_000 },
            },
          }),
        ),
      );
    }
  }

  async #remove(jobs: readonly ScheduledJob[]): Promise<void> {
    const { queue } = this.#access;
    for (const batch of batchesOf(jobs, BATCH_SIZE)) {
      await Promise.all(batch.map(({ registry }) => queue.removeJobScheduler(registry)));
      await Promise.all(batch.map((job) => removeOrphan(this.#access, job)));
    }
  }
}
