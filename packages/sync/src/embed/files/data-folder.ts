import { randomUUID } from 'node:crypto';
import { mkdirSync, rmSync } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { SynclineError, targetIdSchema } from '@syncline/contract';

/** SQLITE_BUSY: another connection holds the lock. */
const BUSY = 5;

/** The folder of a coordinator. Nothing is written outside of it. */
export class DataFolder {
  readonly path: string;
  readonly #temporary: string;
  #lock: DatabaseSync | undefined;

  constructor(path: string) {
    this.path = resolve(path);
    this.#temporary = join(this.path, 'tmp');
  }

  /** Whether this process has locked the folder. */
  get isLocked(): boolean {
    return this.#lock !== undefined;
  }

  /**
   * Creates the folder and locks it for this process. The kernel releases the lock when the process ends, also after
   * SIGKILL: no lock is ever stale. Node.js has such locks only in SQLite; the file stays empty.
   *
   * @throws SynclineError `store-unavailable` if another coordinator has locked the folder
   */
  lock(): void {
    mkdirSync(this.path, { recursive: true });
    const database = new DatabaseSync(join(this.path, 'lock'));
    try {
      database.exec('BEGIN EXCLUSIVE');
    } catch (error) {
      database.close();
      if (!(error instanceof Error && 'errcode' in error && error.errcode === BUSY)) throw error;
      throw new SynclineError(
        'store-unavailable',
        `${this.path} is in use by another coordinator. Stop it, or use another dataDir`,
      );
    }
    this.#lock = database;
    // Left by a process that was killed while it wrote.
    rmSync(this.#temporary, { recursive: true, force: true });
  }

  unlock(): void {
    this.#lock?.close();
    this.#lock = undefined;
  }

  /**
   * Returns the folder of a registry.
   *
   * @throws SynclineError `unknown-registry` if the name cannot be that of a registry: it might lead elsewhere
   */
  ofRegistry(name: string): string {
    if (!targetIdSchema.safeParse(name).success) {
      throw new SynclineError('unknown-registry', `${name} is not the name of a registry`);
    }
    return join(this.path, 'registries', name);
  }

  /** Replaces a file of this folder as {@link replaceFile} does. */
  replace(path: string, content: Uint8Array | string): Promise<void> {
    return replaceFile(path, { content, temporary: join(this.#temporary, randomUUID()) });
  }
}

/** Replaces a file in one step: a reader, also after a crash, finds the old content or the new one. */
export async function replaceFile(
  path: string,
  { content, temporary }: { content: Uint8Array | string; temporary: string },
): Promise<void> {
  await Promise.all([temporary, path].map((it) => mkdir(dirname(it), { recursive: true })));
  await writeFile(temporary, content, { flush: true });
  await rename(temporary, path);
}

/** Makes the names of files in a folder survive a loss of power, if the system supports that. */
export async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  const folder = await open(path);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Returns the bytes of a file; `undefined` if there is no file. */
export function readIfThere(path: string): Promise<Buffer | undefined> {
  return readFile(path).catch(ifMissing(undefined));
}

/** Returns the names in a folder; none if there is no folder. */
export function listIfThere(path: string): Promise<string[]> {
  return readdir(path).catch(ifMissing([]));
}

function ifMissing<Result>(result: Result): (error: unknown) => Result {
  return (error) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return result;
    throw error;
  };
}
