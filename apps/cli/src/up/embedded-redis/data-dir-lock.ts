import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

export interface DataDirLock {
  release(): void;
}

/** SQLITE_BUSY: another connection holds the lock. */
const BUSY = 5;

/**
 * Takes the data directory for this process; undefined if somebody else has it. The lock belongs to the
 * kernel, which frees it when the process ends, on whatever way: there is no stale lock to judge and no
 * race to take one over. Node offers such locks only through SQLite; the file stays empty.
 */
export function tryLockDataDir(dataDir: string): DataDirLock | undefined {
  const database = new DatabaseSync(join(dataDir, 'up.lock'));
  try {
    database.exec('BEGIN EXCLUSIVE');
    return { release: () => database.close() };
  } catch (error) {
    database.close();
    if (error instanceof Error && 'errcode' in error && error.errcode === BUSY) return undefined;
    throw error;
  }
}
