import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { FAULT_ACTIONS, type Ground } from './faults.ts';
import type { Happened } from './history/events.ts';
import { type HistoryRecorder, machineMs, openHistory } from './history/recorder.ts';
import { watchRedis } from './history/witness.ts';
import type { Plan } from './plan.ts';

export interface InjectorOptions extends Omit<Ground, 'watch'> {
  readonly directory: string;
  readonly log: (line: string) => void;
}

/** Injects the faults of a plan into a system, and watches its Redis. */
export class Injector {
  readonly #ground: Ground;
  readonly #log: (line: string) => void;
  readonly #witness: HistoryRecorder;
  readonly #underWay = new Set<Promise<void>>();
  #watching: { close: () => void } | undefined;
  #beginning = Promise.resolve();

  constructor({ directory, log, ...ground }: InjectorOptions) {
    this.#ground = { ...ground, watch: (why) => this.watch(why) };
    this.#log = log;
    this.#witness = openHistory(path.join(directory, 'redis.ndjson'));
  }

  /** Starts to watch Redis. `why` explains why the earlier state is unknown. */
  watch(why: string): Promise<void> {
    // Starts one watch after the other. If two started at once, one of them would never be closed.
    this.#beginning = this.#beginning.then(() => this.#watch(why));
    return this.#beginning;
  }

  async #watch(why: string): Promise<void> {
    const { store, keys, victims } = this.#ground;
    this.#watching?.close();
    const record = (happened: Happened) => {
      this.#witness.record(happened);
      victims.observe(happened);
    };
    const { url } = await store.primary();
    this.#watching = await watchRedis(url, {
      keys,
      recorder: { record, close: () => {} },
      why,
    });
  }

  /**
   * Watches for failovers. A failover can also happen without a fault: on a busy machine, a primary
   * may seem to be gone.
   */
  watchSwitches(): void {
    const { store, recorder } = this.#ground;
    store.onSwitch(() => {
      recorder.record({ kind: 'fault', fault: 'switch', target: 'redis', losesData: true });
      this.watch('switch')
        .then(() => store.settle())
        .then(() => recorder.record({ kind: 'redis-settled' }))
        .catch((error: unknown) => this.#log(String(error)));
    });
  }

  close(): void {
    this.#watching?.close();
    this.#watching = undefined;
  }

  /**
   * Injects the faults of a plan. Resolves when all faults have been undone and the time of the
   * plan is over.
   */
  async inject({ faults, durationMs }: Plan): Promise<void> {
    const startedAtMs = machineMs();
    const untilAtMs = (atMs: number) => sleep(Math.max(0, startedAtMs + atMs - machineMs()));
    for (const { atMs, fault } of faults) {
      await untilAtMs(atMs);
      this.#log(`${(atMs / 1_000).toFixed(1)} s: ${fault}`);
      const done = FAULT_ACTIONS[fault](this.#ground);
      this.#underWay.add(done);
      done.finally(() => this.#underWay.delete(done)).catch(() => {});
    }
    await untilAtMs(durationMs);
    await Promise.all(this.#underWay);
  }
}
