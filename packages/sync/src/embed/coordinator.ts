import {
  type Clock,
  type Logger,
  PENDING_STATUS,
  readStatus,
  type SyncStatus,
  systemClock,
} from '@syncline/contract';
import { createCapacity } from '../capacity/capacity.ts';
import type { Manager } from '../perform/manager.ts';
import type { ConfigSource } from '../ports/config-source.ts';
import type { RunObserver } from '../ports/run-observer.ts';
import type { RunStore } from '../ports/run-store.ts';
import type { StatusPersistence } from '../ports/status-persistence.ts';
import type { TickSource } from '../ports/tick-source.ts';
import { DEFAULT_LEASE_TIMES, LeaseKeeper, type LeaseTimes } from '../run/lease-keeper.ts';
import { NoOpTicks } from '../run/no-op-ticks.ts';
import { syncRegistry } from '../run/sync-registry.ts';

/** How long a stop waits for the runs under way before it ends them. */
const DEFAULT_STOP_GRACE_MS = 10_000;

export interface CoordinatorOptions {
  readonly manager: Manager;
  readonly status: StatusPersistence;
  readonly config: ConfigSource;
  readonly tickSource: TickSource;
  readonly logger: Logger;
  readonly observer: RunObserver;
  /** Unique among all processes that share the status. */
  readonly owner: string;
  readonly runStore: RunStore;
  readonly clock?: Clock;
  readonly random?: () => number;
  readonly leaseTimes?: LeaseTimes;
  readonly stopGraceMs?: number;
}

/**
 * Runs registries whenever its tick source says so, and goes on after whatever a registry, its upstream
 * or a write of status does. One registry is never run twice at once.
 */
export class Coordinator {
  readonly #options: CoordinatorOptions;
  readonly #clock: Clock;
  readonly #ended = Promise.withResolvers<void>();
  #stopping: Promise<void> | undefined;

  constructor(options: CoordinatorOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /**
   * Begins to take ticks; the first ones run each registry that was never synced or is overdue.
   *
   * @param signal stops the coordinator as {@link stop} does
   */
  async start(signal?: AbortSignal): Promise<void> {
    const { manager, status, runStore, config, tickSource, logger, observer, owner } =
      this.#options;
    const times = this.#options.leaseTimes ?? DEFAULT_LEASE_TIMES;
    const clock = this.#clock;
    const keeper = new LeaseKeeper({ runStore, config, clock, logger, observer, times });
    const capacity = createCapacity();
    const noOpTicks = new NoOpTicks({ manager, runStore, clock, logger, capacity });
    const random = this.#options.random ?? Math.random;
    const deps = {
      manager,
      runStore,
      status,
      config,
      keeper,
      capacity,
      noOpTicks,
      times,
      clock,
      logger,
      observer,
      owner,
      random,
    };
    await config.refresh();
    if (signal?.aborted === true) return this.stop();
    signal?.addEventListener('abort', () => void this.stop(), { once: true });
    await tickSource.start(async (tick, stop) => {
      if (tick.dueAtMs !== undefined) observer.tickLate(Math.max(0, clock.now() - tick.dueAtMs));
      return syncRegistry(deps, tick, stop);
    });
  }

  /** Takes no more ticks, lets running ones end for a while, then interrupts them. Idempotent. */
  stop(): Promise<void> {
    const { tickSource, stopGraceMs = DEFAULT_STOP_GRACE_MS } = this.#options;
    this.#stopping ??= tickSource.stop({ graceMs: stopGraceMs }).then(this.#ended.resolve);
    return this.#stopping;
  }

  /** Resolves when the coordinator has stopped. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  /** The status of one registry, or of all that the config names. */
  getStatus(): Promise<ReadonlyMap<string, SyncStatus>>;
  getStatus(registry: string): Promise<SyncStatus>;
  async getStatus(registry?: string): Promise<SyncStatus | ReadonlyMap<string, SyncStatus>> {
    const { status, config } = this.#options;
    const show = (stored: SyncStatus | undefined) =>
      readStatus(stored ?? PENDING_STATUS, this.#clock.now());
    if (registry !== undefined) return show(await status.load(registry));
    const stored = await status.list();
    const names = config.targets().map(({ name }) => name);
    return new Map(names.map((name) => [name, show(stored.get(name))]));
  }
}
