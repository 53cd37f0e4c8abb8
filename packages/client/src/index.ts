export { createSynclineClient, type SynclineClient, type SynclineClientOptions } from './client.ts';
export { type AllRequested, type Requested, requestAll } from './request-all.ts';
