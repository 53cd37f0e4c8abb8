import type {
  Control,
  Lease,
  Logger,
  RegistryConfig,
  SyncStatus,
  Trigger,
} from '@syncline/contract';
import type { UpstreamUsage } from '@syncline/sources';
import type { RunPhase } from './run-observer.ts';

/** What a manager needs to decide whether there is anything to do. */
export interface CheckContext {
  readonly registry: RegistryConfig;
  readonly status: SyncStatus;
  readonly control: Control;
  readonly trigger: Trigger;
  readonly force: boolean;
  /** Aborted when the process stops, the run's time is up, or the lease is lost. */
  readonly signal: AbortSignal;
  /** Epoch milliseconds by the store's clock. */
  readonly now: () => number;
  readonly upstream: UpstreamUsage;
  /** Credentials that the run has read. Sources add to them, and they are removed from all messages. */
  readonly credentials: Set<string>;
  readonly logger: Logger;
  /** Writes the progress of the run into the status. A failed write is only logged. */
  readonly report: (message: string) => void;
}

/** What a manager needs to sync. */
export interface RunContext extends CheckContext {
  readonly lease: Lease;
  /** When the lease was taken, epoch milliseconds by the store's clock. */
  readonly startedAtMs: number;
  readonly timePhase: <Result>(phase: RunPhase, work: () => Promise<Result>) => Promise<Result>;
  /** Calls `release` when the run has ended, also if hung work goes on. */
  readonly onEnd: (release: () => void) => void;
}
