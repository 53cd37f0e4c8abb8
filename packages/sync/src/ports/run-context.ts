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

/** What a manager needs to tell whether there is anything to do. */
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
  /** What the run has read to be let in by its upstream: taken out of whatever it says. Sources add to it. */
  readonly credentials: Set<string>;
  readonly logger: Logger;
  /** Says what the run is at, in the status; a failure to write it is logged and no more. */
  readonly report: (message: string) => void;
}

/** Everything that a manager is told about the run it works for. */
export interface RunContext extends CheckContext {
  readonly lease: Lease;
  /** When the lease was taken, epoch milliseconds by the store's clock. */
  readonly startedAtMs: number;
  readonly timePhase: <Result>(phase: RunPhase, work: () => Promise<Result>) => Promise<Result>;
  /** Has `release` called when the run has ended, also where its work goes on, deaf to the signal. */
  readonly onEnd: (release: () => void) => void;
}
