import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '@syncline/test/support';
import type { Fleet, Member, Role } from './fleet.ts';
import type { Happened } from './history/events.ts';
import { machineMs } from './history/recorder.ts';

/** How long to wait for a worker in the middle of a run. A kill of an idle process proves nothing. */
const WAIT_FOR_WORK_MS = 6_000;
const LONG_RUN_MS = 250;
const LOOK_EVERY_MS = 20;
/** Longer than any fault takes. */
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
  /** For each target that exists once, its last fault. */
  readonly #turns = new Map<string, Promise<void>>();
  /** For each registry, the worker that has the lease and since when, by the record of Redis. */
  readonly #holders = new Map<string, { readonly owner: string; readonly sinceMs: number }>();

  constructor(options: VictimsOptions) {
    this.#options = options;
  }

  /** Updates the record of leases. Call this with each event of Redis. */
  observe(happened: Happened): void {
    if (happened.kind === 'store-unknown') this.#holders.clear();
    else if (happened.kind === 'store-ended') this.#holders.delete(happened.registry);
    else if (happened.kind === 'store-acquired') {
      const { registry, owner } = happened;
      this.#holders.set(registry, { owner, sinceMs: machineMs() });
    }
  }

  /** Runs a fault on one process without a fault, preferably on a worker in the middle of a run. */
  async one(role: Role, act: (member: Member) => Promise<void>): Promise<void> {
    const atWork = role === 'worker' ? await this.#untilAtWork() : undefined;
    // Leaves one process of each role without a fault, so that it does the work of the others.
    const free = await until(() => this.#free(role).length > 1 && this.#free(role), {
      what: `another ${role} without a fault`,
      timeoutMs: WAIT_FOR_OTHER_MS,
    });
    const member = free.find((it) => it === atWork) ?? this.pick(free);
    await this.#hold([member.name], () => act(member));
  }

  /** Runs a fault on all processes of a role that have no fault. */
  async all(role: Role, act: (members: readonly Member[]) => Promise<void>): Promise<void> {
    const free = this.#free(role);
    await this.#hold(
      free.map(({ name }) => name),
      () => act(free),
    );
  }

  /** Runs a fault on a target that exists only once, after the earlier faults on this target. */
  async only(name: 'redis' | 'upstream' | 'config', act: () => Promise<void>): Promise<void> {
    const previous = this.#turns.get(name) ?? Promise.resolve();
    // First come, first served: under load, a fault that only polls could wait too long. The caller of the previous
    // fault handles its error.
    const turn = previous.catch(() => {}).then(() => this.#hold([name], act));
    this.#turns.set(name, turn);
    await turn;
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

  /**
   * Returns the first worker that is in the middle of a long run. Returns `undefined` if no worker is, after a
   * wait.
   */
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
