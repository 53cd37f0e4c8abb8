export type { Operations } from '@syncline/sync';
export type { Redis } from 'ioredis';
export { connectRedis, openRedis } from './connection/connection.ts';
export { readServerInfo, type ServerInfo } from './connection/server-info.ts';
export type { KeyAccess } from './lua/lua-script.ts';
export { type Pulse, stateOfNextTick } from './queue/bullmq-internals.ts';
export {
  createPreviewRequester,
  type PreviewHandler,
  type PreviewRequester,
  type PreviewTarget,
  startPreviewWorker,
} from './queue/preview.ts';
export { createSyncQueue } from './queue/queue.ts';
export { type QueueHealth, readQueueHealth } from './queue/queue-health.ts';
export { createBullTickSource } from './queue/tick-source.ts';
export { type ProcessWaits, readWaits, writeWaits } from './queue/waits.ts';
export { createReconciler } from './recovery/reconciler.ts';
export { ScheduleReconciler } from './recovery/schedules.ts';
export { createSweeper } from './recovery/sweeper.ts';
export { publishConfig } from './stores/config-store.ts';
export {
  currentConfig,
  findInConfig,
  findRegistry,
  type RegistryViews,
  viewRegistries,
  viewsOf,
} from './stores/find-registry.ts';
export { openStore, type Store } from './stores/open-store.ts';
export {
  createRegistryReader,
  createRunLog,
  type RegistryReader,
  type RunLog,
  redisNowMs,
  type StoredRegistries,
} from './stores/registry-reader.ts';
export { createRedisRequestBudgets } from './stores/request-budgets.ts';
export { createRedisRunStore, createRedisStatusPersistence } from './stores/run-store.ts';
export { createRedisSnapshotStore } from './stores/snapshot-store.ts';
export {
  FULL_SHARE,
  maxMemoryFor,
  readAllStoredBytes,
  readStoredBytesLimit,
  totalLimit,
} from './stores/stored-bytes.ts';
