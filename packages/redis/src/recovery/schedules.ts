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

/** When a registry is to be ticked: each interval, or whenever a cron pattern fires. */
export type WantedSchedule = { readonly registry: string } & (
  | { readonly intervalMs: number }
  | CronSchedule
);

/** When the config wants a registry to be ticked. */
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
  /** Whether the job that fires next is there. Without it the schedule is dead. */
  readonly hasNextJob: boolean;
}

/** What a pass has changed. */
export interface ScheduleChanges {
  readonly added: number;
  readonly retimed: number;
  readonly removed: number;
  /** Schedules that had stopped, and go on. */
  readonly healed: number;
}

const BATCH_SIZE = 500;
/** A tick that is this late, and in no state of the queue, will never come. */
const LOST_AFTER_MS = 15_000;
/** Clocks of machines that are looked after differ by less. */
const CLOCK_SLACK_MS = 10_000;

/**
 * The phase of a registry's ticks within its interval: the same for all time, and spread over all
 * registries. Never 0, which BullMQ takes for none, and never the interval or more, which misplaces the
 * next run.
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
  // BullMQ gives a pattern an offset of its own, which means nothing.
  if ('pattern' in wanted) {
    return !repeat.every && repeat.pattern === wanted.pattern && repeat.tz === wanted.timezone;
  }
  const isSamePhase = repeat.offset === String(scheduleOffsetMs(wanted));
  return !repeat.pattern && repeat.every === String(wanted.intervalMs) && isSamePhase;
}

/**
 * Whether the next tick is later than any that is made by a right clock. BullMQ makes ticks by the clock of
 * whichever worker takes the one before; one whose clock is ahead keeps a registry from all others.
 */
function isTooLate(wanted: WantedSchedule, { nextAtMs }: StoredSchedule, nowMs: number): boolean {
  const latestMs =
    'pattern' in wanted ? nextFiringMs(wanted, nowMs) : nowMs + 2 * wanted.intervalMs;
  return nextAtMs > latestMs + CLOCK_SLACK_MS;
}

/**
 * Makes the Job Schedulers in Redis what the config wants, again and again. Any number of processes may
 * do so at once: all write the same. It writes only what differs, since an upsert would move a waiting
 * job to the end of the queue.
 */
export class ScheduleReconciler {
  readonly #access: QueueAccess;
  /** Seen without a next job in the last pass: `<registry>@<next>`. A worker may just be making it. */
  #suspects = new Set<string>();

  constructor(access: QueueAccess) {
    this.#access = access;
  }

  /** Whether something was seen that only a second pass can tell to be wrong. */
  get isSuspicious(): boolean {
    return this.#suspects.size > 0;
  }

  /** @param nowMs the later of our own clock and Redis's: what is in order by either of them is left alone */
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
    // Removed first, also where it is only retimed: an upsert keeps the phase of the old interval.
    await this.#remove([...gone, ...replaced]);
    await this.#upsert([...added, ...renewed]);
    return {
      added: added.length,
      retimed: renewed.length - healed,
      removed: gone.length,
      healed,
    };
  }

  /** How many Job Schedulers there are. */
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

  /** A late job may wait its turn; but one that no list of the queue holds waits for ever. */
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
