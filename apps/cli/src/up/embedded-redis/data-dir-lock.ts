import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/** SQLITE_BUSY: another connection has the lock. */
const BUSY = 5;

/**
 * Locks the data directory for this process. Returns a function that releases the lock, or `undefined` if
 * another process has the lock. The kernel releases the lock when the process ends, so a lock is never
 * stale. Node offers such locks only through SQLite; the file stays empty.
 */
export function tryLockDataDir(dataDir: string): (() => void) | undefined {
  const path = join(dataDir, 'up.lock');
  const database = new DatabaseSync(path);
  try {
    // Whoever may read the file could lock it.
    chmodSync(path, 0o600);
    database.exec('BEGIN EXCLUSIVE');
    return () => database.close();
  } catch (error) {
    database.close();
    if (error instanceof Error && 'errcode' in error && error.errcode === BUSY) return undefined;
    throw error;
  }
}
