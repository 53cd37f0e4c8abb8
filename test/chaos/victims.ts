import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '@syncline/test/support';
import type { Fleet, Member, Role } from './fleet.ts';
import type { Happened } from './history/events.ts';
import { machineMs } from './history/recorder.ts';

/** A kill of an idle process proves nothing, nor does one of a run that is over by then. */
const WAIT_FOR_WORK_MS = 6_000;
const LONG_RUN_MS = 250;
const LOOK_EVERY_MS = 20;
/** Any fault takes less. */
const WAIT_FOR_OTHER_MS = 300_000;

export interface VictimsOptions {
  readonly fleet: Fleet;
  readonly random: () => number;
  readonly log: (line: string) => void;
}

/** Chooses the target of each fault, so that no target has two faults at once. */
export class Victims {
  readonly #options: VictimsOptions;
  readonly #busy = new Set<string>();
  /** Which worker has which lease, and since when, by Redis's record. */
  readonly #holders = new Map<string, { readonly owner: string; readonly sinceMs: number }>();

  constructor(options: VictimsOptions) {
    this.#options = options;
  }

  /** Call this with each event of Redis. */
  observe(happened: Happened): void {
    if (happened.kind === 'store-unknown') this.#holders.clear();
    else if (happened.kind === 'store-ended') this.#holders.delete(happened.registry);
    else if (happened.kind === 'store-acquired') {
      const { registry, owner } = happened;
      this.#holders.set(registry, { owner, sinceMs: machineMs() });
    }
  }

  /** Returns a target without a fault; preferably a worker in the middle of a run. */
  async one(role: Role, act: (member: Member) => Promise<void>): Promise<void> {
    const atWork = role === 'worker' ? await this.#untilAtWork() : undefined;
    // One is left alone, so that somebody does the others' work.
    const free = await until(() => this.#free(role).length > 1 && this.#free(role), {
      what: `another ${role} without a fault`,
      timeoutMs: WAIT_FOR_OTHER_MS,
    });
    const member = free.find((it) => it === atWork) ?? this.pick(free);
    await this.#hold([member.name], () => act(member));
  }

  /** Returns all of a role without a fault. */
  async all(role: Role, act: (members: readonly Member[]) => Promise<void>): Promise<void> {
    const free = this.#free(role);
    await this.#hold(
      free.map(({ name }) => name),
      () => act(free),
    );
  }

  /** Returns a target that exists once. */
  async only(name: 'redis' | 'upstream' | 'config', act: () => Promise<void>): Promise<void> {
    await until(() => !this.#busy.has(name), {
      what: `the current fault of ${name} to end`,
      timeoutMs: WAIT_FOR_OTHER_MS,
    });
    await this.#hold([name], act);
  }

  pick<Item>(among: readonly Item[]): Item {
    const picked = among[Math.floor(this.#options.random() * among.length)];
    if (picked === undefined) throw new Error('nothing to pick from');
    return picked;
  }

  async #hold(names: readonly string[], act: () => Promise<void>): Promise<void> {
    for (const name of names) this.#busy.add(name);
    try {
      this.#options.log(`  ${names.join(', ')}`);
      await act();
    } finally {
      for (const name of names) this.#busy.delete(name);
    }
  }

  #free(role: Role): readonly Member[] {
    return this.#options.fleet.of(role).filter(({ name }) => !this.#busy.has(name));
  }

  /** Returns the first worker that is in the middle of a long run; `undefined` if no worker has one for long. */
  async #untilAtWork(): Promise<Member | undefined> {
    const untilMs = machineMs() + WAIT_FOR_WORK_MS;
    while (machineMs() < untilMs) {
      const longMs = machineMs() - LONG_RUN_MS;
      const long = [...this.#holders.values()].filter(({ sinceMs }) => sinceMs < longMs);
      const found = this.#free('worker').find(({ process }) =>
        long.some(({ owner }) => owner.includes(`-${process.pid}-`)),
      );
      if (found !== undefined) return found;
      await sleep(LOOK_EVERY_MS);
    }
    return undefined;
  }
}
