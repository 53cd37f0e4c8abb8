import { JOB_NAME } from '@syncline/contract';
import { fnv1a } from '@syncline/sync';
import type { Redis } from 'ioredis';
import { type SyncQueue, TICK_PRIORITY } from './queue.ts';

/** When a registry is to be ticked. */
export interface WantedSchedule {
  readonly registry: string;
  readonly intervalMs: number;
}

/** A Job Scheduler as Redis has it. */
interface StoredSchedule {
  readonly nextAtMs: number;
  readonly every: string | null;
  readonly offset: string | null;
  /** Whether the job that is to fire next is there; without it the schedule is dead. */
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
const LOST_AFTER_MS = 60_000;

/**
 * The phase of a registry's ticks within its interval: the same for all time, and spread over all
 * registries. Never 0, which BullMQ takes for none, and never the interval or more, which misplaces the
 * next run.
 */
export function scheduleOffsetMs({ registry, intervalMs }: WantedSchedule): number {
  return 1 + (fnv1a(registry) % (intervalMs - 1));
}

/**
 * Makes the Job Schedulers in Redis what the config wants, again and again. Any number of processes may
 * do so at once: all write the same. It writes only what differs, since an upsert would move a waiting
 * job to the end of the queue.
 */
export class ScheduleReconciler {
  readonly #redis: Redis;
  readonly #queue: SyncQueue;
  /** Seen without a next job in the last pass: `<registry>@<next>`. A worker may just be making it. */
  #suspects = new Set<string>();

  constructor({ redis, queue }: { redis: Redis; queue: SyncQueue }) {
    this.#redis = redis;
    this.#queue = queue;
  }

  async reconcile(wanted: readonly WantedSchedule[], nowMs = Date.now()): Promise<ScheduleChanges> {
    const stored = await this.#list(nowMs);
    const added: WantedSchedule[] = [];
    const renewed: WantedSchedule[] = [];
    const suspects = new Set<string>();
    let healed = 0;
    for (const schedule of wanted) {
      const { registry, intervalMs } = schedule;
      const found = stored.get(registry);
      stored.delete(registry);
      if (found === undefined) {
        added.push(schedule);
      } else if (
        found.every !== String(intervalMs) ||
        found.offset !== String(scheduleOffsetMs(schedule))
      ) {
        renewed.push(schedule);
      } else if (!found.hasNextJob) {
        const sight = `${registry}@${found.nextAtMs}`;
        if (!this.#suspects.has(sight)) suspects.add(sight);
        else {
          renewed.push(schedule);
          healed += 1;
        }
      }
    }
    this.#suspects = suspects;
    const gone = [...stored.keys()];
    // Removed first, also where it is only retimed: an upsert keeps the phase of the old interval.
    await this.#remove([...gone, ...renewed.map(({ registry }) => registry)]);
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
    return this.#redis.zcard(this.#queue.toKey('repeat'));
  }

  async #list(nowMs: number): Promise<Map<string, StoredSchedule>> {
    const stored = new Map<string, StoredSchedule>();
    const flat = await this.#redis.zrangebyscore(
      this.#queue.toKey('repeat'),
      '-inf',
      '+inf',
      'WITHSCORES',
    );
    const entries: { registry: string; nextAtMs: number }[] = [];
    for (let index = 0; index < flat.length; index += 2) {
      entries.push({ registry: flat[index] ?? '', nextAtMs: Number(flat[index + 1]) });
    }
    for (const batch of batches(entries)) {
      const found = await Promise.all(batch.map((entry) => this.#read(entry)));
      for (const [index, { registry }] of batch.entries()) {
        const schedule = found[index];
        if (schedule !== undefined) stored.set(registry, schedule);
      }
    }
    await this.#checkLateOnes(stored, nowMs);
    return stored;
  }

  async #read({
    registry,
    nextAtMs,
  }: {
    registry: string;
    nextAtMs: number;
  }): Promise<StoredSchedule> {
    const key = this.#queue.toKey(`repeat:${registry}`);
    const [[every, offset], next] = await Promise.all([
      this.#redis.hmget(key, 'every', 'offset'),
      this.#redis.exists(`${key}:${nextAtMs}`),
    ]);
    return { nextAtMs, every: every ?? null, offset: offset ?? null, hasNextJob: next === 1 };
  }

  /** A late job may wait its turn; but one that no list of the queue holds waits for ever. */
  async #checkLateOnes(stored: Map<string, StoredSchedule>, nowMs: number): Promise<void> {
    const late = [...stored]
      .filter(([, { nextAtMs, hasNextJob }]) => hasNextJob && nowMs - nextAtMs > LOST_AFTER_MS)
      .slice(0, BATCH_SIZE);
    const states = await Promise.all(
      late.map(([registry, { nextAtMs }]) =>
        this.#queue.getJobState(`repeat:${registry}:${nextAtMs}`),
      ),
    );
    for (const [index, [registry, schedule]] of late.entries()) {
      if (states[index] === 'unknown') stored.set(registry, { ...schedule, hasNextJob: false });
    }
  }

  async #upsert(schedules: readonly WantedSchedule[]): Promise<void> {
    for (const batch of batches(schedules)) {
      await Promise.all(
        batch.map((schedule) =>
          this.#queue.upsertJobScheduler(
            schedule.registry,
            { every: schedule.intervalMs, offset: scheduleOffsetMs(schedule) },
            {
              name: JOB_NAME,
              data: { v: 1, registry: schedule.registry, trigger: 'schedule' },
              opts: {
                priority: TICK_PRIORITY,
                attempts: 1,
                removeOnComplete: true,
                removeOnFail: { count: 1_000 },
              },
            },
          ),
        ),
      );
    }
  }

  async #remove(registries: readonly string[]): Promise<void> {
    for (const batch of batches(registries)) {
      await Promise.all(batch.map((registry) => this.#queue.removeJobScheduler(registry)));
    }
  }
}

function* batches<Item>(items: readonly Item[]): Generator<readonly Item[]> {
  for (let start = 0; start < items.length; start += BATCH_SIZE) {
    yield items.slice(start, start + BATCH_SIZE);
  }
}
