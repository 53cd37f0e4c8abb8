export { type BuiltSnapshot, SnapshotBuilder } from './build.ts';
export { collectGarbage } from './collect.ts';
export { DiffCollector } from './diff-collector.ts';
export {
  type AttachmentDraft,
  type AttachmentKind,
  MAX_ATTACHMENT_CHARACTERS,
} from './encoding/attachment.ts';
export { fnv1a } from './encoding/chunking.ts';
export { blobDigests, decodeManifest, type Manifest } from './encoding/manifest.ts';
export {
  claimTermination,
  createTerminationLock,
  type TerminationLock,
  useTerminationLock,
} from './encoding/termination-lock.ts';
export { LastKnown } from './last-known.ts';
export { applyDelta } from './patch/apply-delta.ts';
export { deriveView } from './patch/derive-view.ts';
export { mergeCatalog } from './patch/merge-catalog.ts';
export {
  areIntact,
  createSnapshotReader,
  type OpenSnapshot,
  readChunkBlobs,
  type SnapshotReader,
} from './reader.ts';
export type { Blob, Publication, SnapshotHistoryEntry, SnapshotStore } from './store.ts';
