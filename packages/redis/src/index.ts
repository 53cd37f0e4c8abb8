export type { Redis } from 'ioredis';
export {
  type ConfigDocument,
  configEdition,
  createConfigFollower,
  publishConfig,
} from './config-store.ts';
export { connectRedis, openRedis, untilReady } from './connection.ts';
export { claimEpoch } from './epoch.ts';
export { createOperations, type Operations } from './operations.ts';
export {
  createPreviewRequester,
  type PreviewHandler,
  type PreviewRequester,
  type PreviewWish,
} from './preview-queue.ts';
export { startPreviewWorker } from './preview-worker.ts';
export { addHint, createSyncQueue, type Hint, type SyncQueue } from './queue.ts';
export { type QueueHealth, readQueueHealth } from './queue-health.ts';
export { trackRegistries } from './registry-index.ts';
export {
  createRegistryReader,
  type RegistryReader,
  redisNowMs,
  type StoredRegistries,
} from './registry-reader.ts';
export { createRedisRequestBudgets } from './request-budgets.ts';
export { createRunLog, type RunLog } from './run-log.ts';
export { createRedisRunStore } from './run-store.ts';
export { recordScheduler } from './scheduler-heartbeat.ts';
export {
  type ScheduleChanges,
  ScheduleReconciler,
  type WantedSchedule,
  wantedSchedule,
} from './schedules.ts';
export { readServerInfo, type ServerInfo } from './server-info.ts';
export { createRedisSnapshotStore } from './snapshot-store.ts';
export { createRedisStatusPersistence } from './status-store.ts';
export { sweep } from './sweep.ts';
export { createBullTickSource } from './tick-source.ts';
export type { Pulse } from './turning-worker.ts';
