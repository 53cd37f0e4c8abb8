export { type BudgetsOptions, describeRequestBudgets } from './describe-request-budgets.ts';
export { describeRunStore } from './describe-run-store.ts';
export { describeSnapshotStore } from './describe-snapshot-store.ts';
export { describeStatusPersistence } from './describe-status-persistence.ts';
export { type GitHttpServer, startGitHttpServer } from './git/git-http-server.ts';
export { TestRepository } from './git/test-repository.ts';
export { createInMemoryRunStore } from './in-memory-run-store.ts';
export { createInMemorySnapshotStore } from './in-memory-snapshot-store.ts';
export {
  createInMemoryState,
  type InMemoryRegistry,
  type InMemoryState,
} from './in-memory-state.ts';
export { createInMemoryStatusPersistence } from './in-memory-status-persistence.ts';
export { createManualClock, type ManualClock } from './manual-clock.ts';
export { testRow, testSnapshot } from './memory-snapshot.ts';
export { describeProtocol } from './protocol/describe-protocol.ts';
export { findViolation } from './protocol/play.ts';
export type { Found, ProtocolStore } from './protocol/protocol-store.ts';
export {
  createRecordingLogger,
  createRecordingObserver,
  type RecordingObserver,
} from './recorders.ts';
export { createStaticConfigSource, type StaticConfigSource } from './static-config-source.ts';
export { acquire, createInMemoryHarness, type StoreHarness, testRun } from './store-harness.ts';
export { storeSnapshot, testBlob } from './test-blobs.ts';
export { testPreview } from './test-preview.ts';
export { storeRows } from './test-snapshots.ts';
