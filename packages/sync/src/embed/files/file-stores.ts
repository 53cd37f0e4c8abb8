import type { Clock } from '@syncline/contract';
import { createRecordRunStore } from '../record-run-store.ts';
import { createRecordStatusPersistence } from '../records.ts';
import { FileRecords, type FileRecordsOptions } from './file-records.ts';
import { createFileSnapshotStore, findMissingFile } from './file-snapshot-store.ts';

/** Opens the stores of one process as files. Only the process that has locked the folder can write. */
export function openFileStores({
  clock,
  ...options
}: FileRecordsOptions & { clock: Pick<Clock, 'now'> }) {
  const records = new FileRecords(options);
  const snapshots = createFileSnapshotStore({ folder: options.folder, records });
  return {
    records,
    snapshots,
    runStore: createRecordRunStore({
      records,
      clock,
      findMissing: (registry, publication) => findMissingFile(snapshots, registry, publication),
    }),
    status: createRecordStatusPersistence(records),
  };
}
