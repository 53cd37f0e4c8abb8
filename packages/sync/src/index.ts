export {
  type Conflict,
  type ConflictMember,
  listConflicts,
} from './catalog/conflicts.ts';
export { checkGlobs, checkSchedules } from './config-checks.ts';
export { Coordinator, type CoordinatorOptions } from './coordinator.ts';
export { type CronSchedule, lastFiringMs, nextFiringMs } from './cron.ts';
export { createFileStatusPersistence } from './file-status-persistence.ts';
export { compileFilter, compileGlob } from './filter.ts';
export { filterHash, sourceHash } from './hashes.ts';
export { IngestPool } from './ingest/ingest-pool.ts';
export { LastKnown } from './last-known.ts';
export { pickLatest } from './latest.ts';
export { DEFAULT_LEASE_TIMES, Interruption, LeaseKeeper, type LeaseTimes } from './lease-keeper.ts';
export {
  createManager,
  type Manager,
  type SyncDecision,
  type SyncResult,
} from './manager.ts';
export {
  type AddressGuard,
  type ConnectionGuard,
  createAddressGuard,
  type ResolvedAddress,
} from './network/address-guard.ts';
export { type ProxyOptions, proxyFor } from './network/proxies.ts';
export { createRequestBudgets, type PlaceStore } from './network/request-budgets.ts';
export * from './ports.ts';
export { type PreviewDependencies, type PreviewRequest, previewRegistry } from './preview.ts';
export { countsOf } from './run-ending.ts';
export * from './serving/index.ts';
export { decideSyncNeed } from './should-sync.ts';
export { createSingleProcessRunStore } from './single-process-run-store.ts';
export { fnv1a } from './snapshot/chunking.ts';
export { blobDigests, decodeManifest, type Manifest } from './snapshot/manifest.ts';
export {
  createSnapshotReader,
  type OpenSnapshot,
  type SnapshotReader,
} from './snapshot/reader.ts';
export { createSourceFactory } from './sources/create-source.ts';
export { Git, type GitOptions } from './sources/git/index.ts';
export { HttpClient } from './sources/http.ts';
export type { SyncDependencies } from './sync-dependencies.ts';
export { syncRegistry } from './sync-registry.ts';
export { createTimerTickSource } from './timer-tick-source.ts';
