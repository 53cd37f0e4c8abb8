import type { SynclineClient } from '@syncline/client';
import type { Logger } from '@syncline/contract';
import type { PreviewRequester, RegistryReader, RunLog } from '@syncline/redis';
import type { SnapshotReader } from '@syncline/snapshot';
import type { ConfigSource, Operations } from '@syncline/sync';
import type { QueueBoard } from './bull-board.ts';
import type { ControlPolicy } from './control-policy.ts';
import type { RememberedRegistries } from './registries.ts';

/** Everything that the api needs from the world. */
export interface ApiDependencies {
  readonly config: ConfigSource;
  readonly registries: RegistryReader;
  /** The same for those who are served copies: goes on while Redis is away. */
  readonly remembered: RememberedRegistries;
  readonly snapshots: SnapshotReader;
  readonly runs: RunLog;
  /** Loaded at the first call. */
  readonly operations: () => Promise<Operations>;
  readonly requester: Pick<SynclineClient, 'getRequest' | 'requestSync' | 'waitForRun'>;
  readonly previewer: Pick<PreviewRequester, 'request'>;
  readonly metrics: ApiMetrics;
  readonly logger: Logger;
  /** Whether the process can do its work, and if not, why. */
  readonly readiness: () => Promise<{ ready: boolean; problems: string[] }>;
  readonly controlPolicy: ControlPolicy;
  readonly version: string;
  /** The text of `openapi.yaml`. */
  readonly openApiDocument: string;
  /** Served under `/queues`; nothing is there where absent. */
  readonly queueBoard?: QueueBoard;
  /** Aborted when the process stops: requests that wait for a run are then answered at once. */
  readonly stopping: AbortSignal;
}

/** What is measured of an HTTP request. */
export interface HttpObservation {
  readonly method: string;
  /** The route's pattern, never the path that was asked for. */
  readonly route: string;
  readonly status: number;
  readonly durationMs: number;
}

export interface ApiMetrics {
  httpRequest(observation: HttpObservation): void;
  /** All metrics, in the text format of Prometheus. */
  expose(): Promise<{ contentType: string; body: string }>;
}
