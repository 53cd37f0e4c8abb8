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
const REDIS_HANGS_MS = 3_000;
/** Longer than a run that had begun may go on. */
const DROPPED_MS = 14_000;
/** A kill of a process that does nothing proves nothing, nor does one of a run that is over by then. */
const WAIT_FOR_WORK_MS = 6_000;
const LONG_RUN_MS = 250;
const LOOK_EVERY_MS = 20;

export interface InjectorOptions {
  readonly fleet: Fleet;
  readonly redis: RedisServerHandle;
  readonly keys: RedisKeys;
  readonly recorder: HistoryRecorder;
  readonly random: () => number;
  readonly directory: string;
  readonly registries: readonly string[];
  /** Puts a config with these registries in the place of the one in force. */
  readonly applyConfig: (registries: readonly string[]) => Promise<void>;
  readonly log: (line: string) => void;
}

/** Does to a system what a plan says, and watches its Redis. */
export class Injector {
  readonly #options: InjectorOptions;
  readonly #witness: HistoryRecorder;
  /** Who has which lease, and since when, as far as Redis was seen to give it. */
  readonly #holders = new Map<string, { readonly owner: string; readonly sinceMs: number }>();
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
        const { registry, owner } = happened;
        this.#holders.set(registry, { owner, sinceMs: machineMs() });
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
      case 'stop-worker':
        return this.#hurt('worker', fault, (member) => this.#stop(member));
      case 'kill-redis':
      case 'empty-redis':
        return this.#toRedis(fault, () => this.#killRedis(fault));
      case 'hang-redis':
        return this.#toRedis(fault, () => this.#hangRedis());
      case 'edit-config':
        return this.#editConfig();
    }
  }

  /** Does it to one that nothing is being done to; a worker in the middle of a run, if one is to be had. */
  async #hurt(role: Role, fault: FaultName, act: (member: Member) => Promise<void>): Promise<void> {
    const { log } = this.#options;
    const atWork = role === 'worker' ? await this.#untilAtWork() : undefined;
    const free = this.#free(role);
    // One is left alone, so that the others' work is done by somebody.
    if (free.length < 2) return log(`${fault}: there is no other ${role}`);
    const picked = free.find((member) => member === atWork) ?? this.#pick(free);
    this.#busy.add(picked.name);
    try {
      log(`${fault}: ${picked.name}`);
      await act(picked);
    } finally {
      this.#busy.delete(picked.name);
    }
  }

  /** Those that nothing is being done to. */
  #free(role: Role): readonly Member[] {
    return this.#options.fleet.of(role).filter(({ name }) => !this.#busy.has(name));
  }

  /** The first that is found in the middle of a run that takes long; none, where there is none for long. */
  async #untilAtWork(): Promise<Member | undefined> {
    const untilMs = machineMs() + WAIT_FOR_WORK_MS;
    while (machineMs() < untilMs) {
      const longMs = machineMs() - LONG_RUN_MS;
      const long = [...this.#holders.values()].filter(({ sinceMs }) => sinceMs < longMs);
      const found = this.#free('worker').find(({ process }) =>
        long.some(({ owner }) => owner.includes(`-${process.pid}-`)),
      );
      if (found !== undefined) return found;
      await waitMs(LOOK_EVERY_MS);
    }
    return undefined;
  }

  #pick<Item>(among: readonly Item[]): Item {
    const picked = among[Math.floor(this.#options.random() * among.length)];
    if (picked === undefined) throw new Error('nothing to pick from');
    return picked;
  }

  async #kill({ name }: Member): Promise<void> {
    this.#options.recorder.record({ kind: 'fault', fault: 'kill', target: name });
    await this.#options.fleet.replace(name, 'killed');
  }

  async #stop({ name }: Member): Promise<void> {
    this.#options.recorder.record({ kind: 'fault', fault: 'stop', target: name });
    await this.#options.fleet.replace(name, 'stopped');
  }

  async #pause({ name, process }: Member): Promise<void> {
    const untilMs = machineMs() + PAUSE_MS;
    this.#options.recorder.record({ kind: 'fault', fault: 'pause', target: name, untilMs });
    process.pause();
    await waitMs(PAUSE_MS);
    process.resume();
  }

  async #toRedis(fault: FaultName, act: () => Promise<void>): Promise<void> {
    const { log } = this.#options;
    if (this.#busy.has('redis')) return log(`${fault}: it is away already`);
    this.#busy.add('redis');
    try {
      log(fault);
      await act();
    } finally {
      this.#busy.delete('redis');
    }
  }

  async #killRedis(fault: 'kill-redis' | 'empty-redis'): Promise<void> {
    const { redis, recorder } = this.#options;
    recorder.record({ kind: 'fault', fault, target: 'redis', losesData: true });
    await redis.kill();
    await waitMs(REDIS_AWAY_MS);
    await redis.start({ empty: fault === 'empty-redis' });
    await this.watch(fault);
  }

  async #hangRedis(): Promise<void> {
    const { redis, recorder } = this.#options;
    const untilMs = machineMs() + REDIS_HANGS_MS;
    recorder.record({ kind: 'fault', fault: 'hang-redis', target: 'redis', untilMs });
    redis.pause();
    await waitMs(REDIS_HANGS_MS);
    redis.resume();
  }

  /** Takes a registry out of the config, and puts it back later; another one has another filter. */
  async #editConfig(): Promise<void> {
    const { registries, recorder, log, applyConfig } = this.#options;
    if (this.#busy.has('config')) return log('edit-config: it is being edited already');
    this.#busy.add('config');
    try {
      const dropped = this.#pick(registries);
      log(`edit-config: without ${dropped}`);
      recorder.record({ kind: 'fault', fault: 'edit-config', target: dropped });
      await applyConfig(registries.filter((name) => name !== dropped));
      await waitMs(DROPPED_MS);
      await applyConfig(registries);
    } finally {
      this.#busy.delete('config');
    }
  }
}
