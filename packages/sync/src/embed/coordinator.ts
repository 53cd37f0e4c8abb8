import { PENDING_STATUS, readStatus, type SyncStatus, systemClock } from '@syncline/contract';
import { HungWork, PoisonIsolation } from '../capacity/capacity.ts';
import type { TickSource } from '../ports/tick-source.ts';
import { DEFAULT_LEASE_TIMES, LeaseKeeper } from '../run/lease-keeper.ts';
import { NoOpTicks } from '../run/no-op-ticks.ts';
import type { SyncDependencies } from '../run/sync-dependencies.ts';
import { syncRegistry } from '../run/sync-registry.ts';

type OwnDependency = 'keeper' | 'capacity' | 'noOpTicks' | 'times' | 'clock' | 'random';

export interface CoordinatorOptions extends Omit<SyncDependencies, OwnDependency> {
  readonly tickSource: TickSource;
  /** How many milliseconds a stop waits for runs before it interrupts them. Default: 10,000. */
  readonly stopGraceMs?: number;
}

/**
 * Runs a registry for each tick of the tick source. Continues if a registry, its upstream or a status write fails.
 * Never runs one registry twice at once.
 */
export class Coordinator {
  readonly #options: CoordinatorOptions;
  #stopping: Promise<void> | undefined;

  constructor(options: CoordinatorOptions) {
    this.#options = options;
  }

  /** Starts to take ticks. */
  async start(): Promise<void> {
    const { tickSource, config, observer } = this.#options;
    const clock = systemClock;
    const capacity = { hungWork: new HungWork(), isolation: new PoisonIsolation() };
    const shared = { ...this.#options, clock, capacity, times: DEFAULT_LEASE_TIMES };
    const deps: SyncDependencies = {
      ...shared,
      keeper: new LeaseKeeper(shared),
      noOpTicks: new NoOpTicks(shared),
      random: Math.random,
    };
    await config.refresh();
    await tickSource.start(async (tick, stop) => {
      if (tick.dueAtMs !== undefined) observer.tickLate(Math.max(0, clock.now() - tick.dueAtMs));
      return syncRegistry(deps, tick, stop);
    });
  }

  /** Takes no more ticks, waits for runs within the grace time, and interrupts the rest. Idempotent. */
  stop(): Promise<void> {
    const { tickSource, stopGraceMs: graceMs = 10_000 } = this.#options;
    this.#stopping ??= tickSource.stop({ graceMs });
    return this.#stopping;
  }

  /** Returns the status of one registry, or of all registries in the config. */
  getStatus(): Promise<ReadonlyMap<string, SyncStatus>>;
  getStatus(registry: string): Promise<SyncStatus>;
  async getStatus(registry?: string): Promise<SyncStatus | ReadonlyMap<string, SyncStatus>> {
    const { status, config } = this.#options;
    const show = (stored = PENDING_STATUS) => readStatus(stored, systemClock.now());
    if (registry !== undefined) return show(await status.load(registry));
    const stored = await status.list();
    return new Map(config.targets().map(({ name }) => [name, show(stored.get(name))]));
  }
}
