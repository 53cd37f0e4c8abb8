export type { BuiltSnapshot } from './build.ts';
export { collectGarbage } from './collect.ts';
export {
  type AttachmentDraft,
  type AttachmentKind,
  MAX_ATTACHMENT_CHARACTERS,
} from './encoding/attachment.ts';
export { blobDigests, decodeManifest, type Manifest } from './encoding/manifest.ts';
export { claimEnd, createEndLock, type EndLock, respect } from './encoding/undisturbed.ts';
export { LastKnown } from './last-known.ts';
export {
  areIntact,
  createSnapshotReader,
  type OpenSnapshot,
  readChunkBlobs,
  type SnapshotReader,
} from './reader.ts';
export type { Blob, Publication, SnapshotHistoryEntry, SnapshotStore } from './store.ts';
