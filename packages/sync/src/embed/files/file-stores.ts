import type { Clock, SyncStatus } from '@syncline/contract';
import type { SnapshotStore } from '@syncline/snapshot';
import type { RunStore } from '../../ports/run-store.ts';
import type { StatusPersistence } from '../../ports/status-persistence.ts';
import { createRecordRunStore } from '../record-run-store.ts';
import { createRecordStatusPersistence } from '../record-status-persistence.ts';
import type { DataFolder } from './data-folder.ts';
import { FileRecords } from './file-records.ts';
import { createFileSnapshotStore, findMissingFile } from './file-snapshot-store.ts';

export interface FileStoresOptions {
  readonly folder: DataFolder;
  readonly clock: Pick<Clock, 'now'>;
  /** Told of each status that was written. */
  readonly onStatus?: (registry: string, status: SyncStatus) => void;
}

/** The stores of one process, as files. Only the process that has locked the folder can write. */
export interface FileStores {
  readonly records: FileRecords;
  readonly runStore: RunStore;
  readonly snapshots: SnapshotStore;
  readonly status: StatusPersistence;
}

export function openFileStores({ folder, clock, ...options }: FileStoresOptions): FileStores {
  const records = new FileRecords({ folder, ...options });
  const snapshots = createFileSnapshotStore({ folder, records });
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
