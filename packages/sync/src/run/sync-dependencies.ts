import type { Clock, Logger } from '@syncline/contract';
import type { MemoryBudget } from '@syncline/sources';
import type { HungWork, PoisonIsolation } from '../capacity/capacity.ts';
import type { Manager } from '../perform/manager.ts';
import type { ConfigSource } from '../ports/config-source.ts';
import type { RunObserver } from '../ports/run-observer.ts';
import type { RunStore } from '../ports/run-store.ts';
import type { StatusPersistence } from '../ports/status-persistence.ts';
import type { LeaseKeeper, LeaseTimes } from './lease-keeper.ts';
import type { NoOpTicks } from './no-op-ticks.ts';

/** What all runs of a process need. */
export interface SyncDependencies {
  readonly manager: Manager;
  readonly runStore: RunStore;
  readonly status: StatusPersistence;
  readonly config: ConfigSource;
  readonly keeper: LeaseKeeper;
  /** State that the runs of one process share, so that no run blocks the others. */
  readonly capacity: { readonly hungWork: HungWork; readonly isolation: PoisonIsolation };
  /** Handles ticks that need no run. Without it, each tick becomes a run. */
  readonly noOpTicks?: NoOpTicks;
  /** The memory of all runs of the process. */
  readonly memory: MemoryBudget;
  readonly times: LeaseTimes;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly observer: RunObserver;
  /** The name of this process in leases. It is unique among the processes that share the store. */
  readonly owner: string;
  /** Returns a number in [0, 1), which spreads the attempts of registries that fail together. */
  readonly random: () => number;
}
