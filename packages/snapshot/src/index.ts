export { type BuiltSnapshot, SnapshotBuilder } from './build.ts';
export { DiffCollector } from './diff.ts';
export {
  claimTermination,
  createTerminationLock,
  fnv1a,
  type TerminationLock,
  useTerminationLock,
} from './encoding/chunk.ts';
export {
  type AttachmentDraft,
  type AttachmentKind,
  blobDigests,
  decodeManifest,
  MAX_ATTACHMENT_CHARACTERS,
  type Manifest,
} from './encoding/manifest.ts';
export { LastKnown } from './last-known.ts';
export { applyDelta } from './patch/apply-delta.ts';
export { deriveView } from './patch/derive-view.ts';
export { mergeCatalog } from './patch/merge-catalog.ts';
export { createSnapshotReader, type OpenSnapshot, type SnapshotReader } from './reader.ts';
export * from './store.ts';
export { collectGarbage } from './store.ts';
