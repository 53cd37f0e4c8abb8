import path from 'node:path';
import type { RedisKeys } from '@syncline/contract';
import type { RedisServerHandle } from '@syncline/test/support';
import { type Fleet, type Member, type Role, waitMs } from './fleet.ts';
import type { Happened } from './history/events.ts';
import { type HistoryRecorder, machineMs, openHistory } from './history/recorder.ts';
import { watchRedis } from './history/witness.ts';
import type { FaultName, Plan } from './plan.ts';

/** Longer than a lease, and than a sweep after it. */
const PAUSE_MS = 18_000;
const REDIS_AWAY_MS = 800;
/** A kill of a process that does nothing proves nothing. */
const WAIT_FOR_WORK_MS = 2_000;
const LOOK_EVERY_MS = 20;

export interface InjectorOptions {
  readonly fleet: Fleet;
  readonly redis: RedisServerHandle;
  readonly keys: RedisKeys;
  readonly recorder: HistoryRecorder;
  readonly random: () => number;
  readonly directory: string;
  readonly log: (line: string) => void;
}

/** Does to a system what a plan says, and watches its Redis. */
export class Injector {
  readonly #options: InjectorOptions;
  readonly #witness: HistoryRecorder;
  /** Registry to the owner of its lease, as far as Redis was seen to give it. */
  readonly #holders = new Map<string, string>();
  readonly #busy = new Set<string>();
  readonly #underWay = new Set<Promise<void>>();
  #watching: { close: () => void } | undefined;

  constructor(options: InjectorOptions) {
    this.#options = options;
    this.#witness = openHistory(path.join(options.directory, 'redis.ndjson'));
  }

  /** Watches Redis from now on; `why` says why nothing was known before. */
  async watch(why: string): Promise<void> {
    const { redis, keys } = this.#options;
    this.#watching?.close();
    this.#holders.clear();
    const record = (happened: Happened) => {
      this.#witness.record(happened);
      if (happened.kind === 'store-acquired') {
        this.#holders.set(happened.registry, happened.owner);
      } else if (happened.kind === 'store-ended') this.#holders.delete(happened.registry);
    };
    this.#watching = await watchRedis(redis.url, {
      keys,
      recorder: { record, close: () => {} },
      why,
    });
  }

  close(): void {
    this.#watching?.close();
    this.#watching = undefined;
  }

  /** Resolves when all that was done has been made good, and the plan's time is over. */
  async inject({ faults, durationMs }: Plan): Promise<void> {
    const startedAtMs = machineMs();
    const untilAtMs = (atMs: number) => waitMs(Math.max(0, startedAtMs + atMs - machineMs()));
    for (const { atMs, fault } of faults) {
      await untilAtMs(atMs);
      const done = this.#inject(fault);
      this.#underWay.add(done);
      done.finally(() => this.#underWay.delete(done)).catch(() => {});
    }
    await untilAtMs(durationMs);
    await Promise.all(this.#underWay);
  }

  async #inject(fault: FaultName): Promise<void> {
    switch (fault) {
      case 'kill-worker':
        return this.#hurt('worker', fault, (member) => this.#kill(member));
      case 'kill-scheduler':
        return this.#hurt('scheduler', fault, (member) => this.#kill(member));
      case 'kill-api':
        return this.#hurt('api', fault, (member) => this.#kill(member));
      case 'pause-worker':
        return this.#hurt('worker', fault, (member) => this.#pause(member));
      case 'kill-redis':
      case 'empty-redis':
        return this.#killRedis(fault);
    }
  }

  /** Picks one that nothing is being done to; a worker in the middle of a run, if one is to be had. */
  async #hurt(role: Role, fault: FaultName, act: (member: Member) => Promise<void>): Promise<void> {
    const { fleet, random, log } = this.#options;
    const free = fleet.of(role).filter(({ name }) => !this.#busy.has(name));
    // One is left alone, so that the others' work is done by somebody.
    if (free.length < 2) return log(`${fault}: there is no other ${role}`);
    const picked = free[Math.floor(random() * free.length)];
    if (picked === undefined) return;
    this.#busy.add(picked.name);
    try {
      if (role === 'worker') await this.#untilAtWork(picked);
      log(`${fault}: ${picked.name}`);
      await act(picked);
    } finally {
      this.#busy.delete(picked.name);
    }
  }

  async #untilAtWork({ process }: Member): Promise<void> {
    const untilMs = machineMs() + WAIT_FOR_WORK_MS;
    const isAtWork = () =>
      [...this.#holders.values()].some((owner) => owner.includes(`-${process.pid}-`));
    while (!isAtWork() && machineMs() < untilMs) await waitMs(LOOK_EVERY_MS);
  }

  async #kill({ name }: Member): Promise<void> {
    this.#options.recorder.record({ kind: 'fault', fault: 'kill', target: name });
    await this.#options.fleet.killAndReplace(name);
  }

  async #pause({ name, process }: Member): Promise<void> {
    const untilMs = machineMs() + PAUSE_MS;
    this.#options.recorder.record({ kind: 'fault', fault: 'pause', target: name, untilMs });
    process.pause();
    await waitMs(PAUSE_MS);
    process.resume();
  }

  async #killRedis(fault: 'kill-redis' | 'empty-redis'): Promise<void> {
    const { redis, recorder, log } = this.#options;
    if (this.#busy.has('redis')) return log(`${fault}: it is away already`);
    this.#busy.add('redis');
    try {
      log(fault);
      recorder.record({ kind: 'fault', fault, target: 'redis', losesData: true });
      await redis.kill();
      await waitMs(REDIS_AWAY_MS);
      await redis.start({ empty: fault === 'empty-redis' });
      await this.watch(fault);
    } finally {
      this.#busy.delete('redis');
    }
  }
}
