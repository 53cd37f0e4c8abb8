export {
  createInMemorySnapshotStore,
  createInMemorySnapshots,
  type InMemorySnapshots,
} from './in-memory-snapshot-store.ts';
export { testRow, testSnapshot } from './memory-snapshot.ts';
export { storeSnapshot, testBlob } from './test-blobs.ts';
export { storeRows } from './test-snapshots.ts';
