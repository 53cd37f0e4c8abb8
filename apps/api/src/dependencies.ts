import type { SynclineClient } from '@syncline/client';
import type { Logger } from '@syncline/contract';
import type { PreviewRequester, RegistryReader, RunLog } from '@syncline/redis';
import type { Access } from '@syncline/runtime';
import type { SnapshotReader } from '@syncline/snapshot';
import type { ConfigSource, Operations } from '@syncline/sync';
import type { QueueBoard } from './bull-board.ts';
import type { LoadLimiter } from './load/limit-load.ts';
import type { RememberedRegistries } from './remembered-registries.ts';

/** The dependencies of the api. */
export interface ApiDependencies {
  readonly config: ConfigSource;
  readonly registries: RegistryReader;
  /** The reader for lists and for the serving routes. It continues to work while Redis is unavailable. */
  readonly remembered: RememberedRegistries;
  readonly snapshots: SnapshotReader;
  readonly runs: RunLog;
  /** Returns the operations, whose code is loaded at the first call. */
  readonly operations: () => Promise<Operations>;
  readonly requester: Pick<SynclineClient, 'getRequest' | 'requestSync' | 'waitForRun'>;
  readonly previewer: Pick<PreviewRequester, 'request'>;
  readonly loadLimiter: LoadLimiter;
  readonly metrics: ApiMetrics;
  readonly logger: Logger;
  /** Returns whether the process is ready, and its problems if it is not. */
  readonly readiness: () => Promise<{ ready: boolean; problems: string[] }>;
  readonly access: Access;
  /** The addresses and ranges of the proxies in front of the api. */
  readonly version: string;
  /** The text of `openapi.yaml`. */
  readonly openApiDocument: string;
  /** The dashboard to serve under `/queues`, if there is one. */
  readonly queueBoard?: QueueBoard;
  /** Aborted when the process stops. Requests that wait for a run are then answered at once. */
  readonly stopping: AbortSignal;
}

/** A measured HTTP request. */
export interface HttpObservation {
  readonly method: string;
  /** The pattern of the route, never the requested path. */
  readonly route: string;
  readonly status: number;
  readonly durationMs: number;
}

export interface ApiMetrics {
  httpRequest(observation: HttpObservation): void;
  /** Returns all metrics in the text format of Prometheus. */
  expose(): Promise<{ contentType: string; body: string }>;
}
