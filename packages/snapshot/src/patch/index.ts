export { SnapshotBuilder } from '../build.ts';
export { DiffCollector } from '../diff.ts';
export { RetainedBytes } from '../retained-bytes.ts';
export { applyDelta } from './apply-delta.ts';
export { deriveView } from './derive-view.ts';
export { mergeCatalog } from './merge-catalog.ts';
