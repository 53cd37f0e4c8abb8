export { createSynclineClient, type SynclineClient, type SynclineClientOptions } from './client.ts';
export { findAnswer } from './find-answer.ts';
