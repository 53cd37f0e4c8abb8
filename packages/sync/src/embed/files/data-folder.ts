import { randomUUID } from 'node:crypto';
import { mkdirSync, rmSync } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { SynclineError, targetIdSchema } from '@syncline/contract';

/** SQLITE_BUSY: another connection holds the lock. */
const BUSY = 5;

/** The folder of a coordinator. The coordinator writes nothing outside of it. */
export class DataFolder {
  readonly path: string;
  readonly #temporary: string;
  #lock: DatabaseSync | undefined;

  constructor(path: string) {
    this.path = resolve(path);
    this.#temporary = join(this.path, 'tmp');
  }

  /** The folder that has a folder of each registry. */
  get registries(): string {
    return join(this.path, 'registries');
  }

  /** Whether this process has locked the folder. */
  get isLocked(): boolean {
    return this.#lock !== undefined;
  }

  /**
   * Creates the folder and locks it for this process. The kernel releases the lock when the process ends, even after
   * SIGKILL, so that no lock is ever stale. In Node.js, only SQLite has such locks. The SQLite file stays empty.
   *
   * @throws SynclineError `store-unavailable` if another coordinator has locked the folder
   */
  lock(): void {
    mkdirSync(this.path, { recursive: true, mode: 0o700 });
    const database = new DatabaseSync(join(this.path, 'lock'));
    try {
      database.exec('BEGIN EXCLUSIVE');
    } catch (error) {
      database.close();
      if (!(error instanceof Error && 'errcode' in error && error.errcode === BUSY)) throw error;
      throw new SynclineError(
        'store-unavailable',
        `another coordinator uses ${this.path}. Stop the other coordinator, or set another dataDir`,
      );
    }
    this.#lock = database;
    // A process that was killed during a write may have left these files.
    rmSync(this.#temporary, { recursive: true, force: true });
  }

  unlock(): void {
    this.#lock?.close();
    this.#lock = undefined;
  }

  /**
   * Returns the folder of a registry.
   *
   * @throws SynclineError `unknown-registry` for an invalid name, which might lead outside of the folder
   */
  ofRegistry(name: string): string {
    if (!targetIdSchema.safeParse(name).success) {
      throw new SynclineError('unknown-registry', `${name} is not a valid registry name`);
    }
    return join(this.registries, name);
  }

  /** Replaces a file of this folder, see {@link replaceFile}. */
  replace(path: string, content: Uint8Array | string): Promise<void> {
    return replaceFile(path, { content, temporary: join(this.#temporary, randomUUID()) });
  }
}

/** Replaces a file in one step. Even after a crash, a reader finds either the old or the new content. */
export async function replaceFile(
  path: string,
  { content, temporary }: { content: Uint8Array | string; temporary: string },
): Promise<void> {
  await Promise.all([temporary, path].map((it) => mkdir(dirname(it), { recursive: true })));
  await writeFile(temporary, content, { flush: true });
  await rename(temporary, path);
}

/** Makes the file names in a folder survive a power loss, if the system supports this. */
export async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  const folder = await open(path);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Returns the bytes of a file, or `undefined` if the file is missing. */
export function readIfThere(path: string): Promise<Buffer | undefined> {
  return readFile(path).catch(ifMissing(undefined));
}

/** Returns the size of a file, or 0 if the file is missing. */
export function sizeIfThere(path: string): Promise<number> {
  return stat(path).then(({ size }) => size, ifMissing(0));
}

/** Returns the names in a folder, or an empty list if the folder is missing. */
export function listIfThere(path: string): Promise<string[]> {
  return readdir(path).catch(ifMissing([]));
}

function ifMissing<Result>(result: Result): (error: unknown) => Result {
  return (error) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return result;
    throw error;
  };
}
