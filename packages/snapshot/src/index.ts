export type { BuiltSnapshot } from './build.ts';
export {
  claimTermination,
  createTerminationLock,
  type TerminationLock,
  useTerminationLock,
} from './encoding/chunk.ts';
export {
  type AttachmentDraft,
  type AttachmentKind,
  blobDigests,
  decodeManifest,
  type Manifest,
} from './encoding/manifest.ts';
export { LastKnown } from './last-known.ts';
export type { OpenSnapshot } from './open-snapshot.ts';
export { makeRoom, overQuota } from './quota.ts';
export { type CacheUsage, createSnapshotReader, type SnapshotReader } from './reader.ts';
export * from './store.ts';
export { collectGarbage } from './store.ts';
