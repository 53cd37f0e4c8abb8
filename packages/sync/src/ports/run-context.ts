import type {
  Control,
  Lease,
  Logger,
  RegistryConfig,
  SyncStatus,
  Trigger,
} from '@syncline/contract';
import type { MemoryAccount, UpstreamUsage } from '@syncline/sources';
import type { RunPhase } from './run-observer.ts';
import type { Acquired } from './run-store.ts';

/** What a manager needs to decide whether a sync is needed. */
export interface CheckContext {
  readonly registry: RegistryConfig;
  readonly status: SyncStatus;
  readonly control: Control;
  /** The digest that the pointer names, see {@link Acquired.served}. */
  readonly served: Acquired['served'];
  readonly trigger: Trigger;
  readonly force: boolean;
  /** Aborted when the process stops, the run exceeds its timeout, or the lease is lost. */
  readonly signal: AbortSignal;
  /** Epoch milliseconds by the store's clock. */
  readonly now: () => number;
  readonly upstream: UpstreamUsage;
  /** The memory of the run. */
  readonly memory: MemoryAccount;
  /** Credentials that the run has read. Sources add credentials, and Syncline removes them from all messages. */
  readonly credentials: Set<string>;
  readonly logger: Logger;
  /** Writes the progress of the run into the status. Only logs a failed write. */
  readonly report: (message: string) => void;
}

/** What a manager needs to sync. */
export interface RunContext extends CheckContext {
  readonly lease: Lease;
  /** When the run took the lease, in epoch milliseconds by the store's clock. */
  readonly startedAtMs: number;
  /** Whether the run has begun to store what it wants to publish. */
  readonly staging: { hasBegun: boolean };
  readonly timePhase: <Result>(phase: RunPhase, work: () => Promise<Result>) => Promise<Result>;
  /** Calls `release` when the run has ended, even if hung work continues. */
  readonly onEnd: (release: () => void) => void;
}
