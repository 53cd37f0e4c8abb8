import { createHash, randomUUID } from 'node:crypto';
import { mkdirSync, rmSync } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { SynclineError } from '@syncline/contract';

/** SQLITE_BUSY: another connection holds the lock. */
const BUSY = 5;
/** File systems allow 255. */
const LONGEST_NAME = 200;

/** The folder of a coordinator: nothing is written outside of it. */
export class DataFolder {
  readonly path: string;
  readonly #temporary: string;
  #lock: DatabaseSync | undefined;

  constructor(path: string) {
    this.path = resolve(path);
    this.#temporary = join(this.path, 'tmp');
  }

  /** Whether this process has the folder for itself. */
  get isLocked(): boolean {
    return this.#lock !== undefined;
  }

  /**
   * Makes the folder and takes it for this process. The lock belongs to the kernel, which frees it when the process
   * ends, also after SIGKILL: no lock is ever stale. Node offers such locks only through SQLite; the file stays empty.
   *
   * @throws SynclineError `store-unavailable` if another coordinator has the folder
   */
  lock(): void {
    mkdirSync(this.path, { recursive: true });
    const database = new DatabaseSync(join(this.path, 'lock'));
    try {
      database.exec('BEGIN EXCLUSIVE');
    } catch (error) {
      database.close();
      if (!hasProperty(error, 'errcode', BUSY)) throw error;
      throw new SynclineError(
        'store-unavailable',
        `${this.path} is in use by another coordinator. Stop it, or use another dataDir`,
      );
    }
    this.#lock = database;
    // What a process left that was killed while it wrote.
    rmSync(this.#temporary, { recursive: true, force: true });
  }

  unlock(): void {
    this.#lock?.close();
    this.#lock = undefined;
  }

  /** The folder of a registry. Names that no folder may have, or that would lead elsewhere, are encoded. */
  ofRegistry(name: string): string {
    return join(this.path, 'registries', encodeName(name));
  }

  /** Replaces a file in one step: whoever reads it, also after a crash, finds the old bytes or the new ones. */
  async replace(path: string, bytes: Uint8Array | string): Promise<void> {
    const temporary = join(this.#temporary, randomUUID());
    await Promise.all([this.#temporary, dirname(path)].map((it) => mkdir(it, { recursive: true })));
    await writeFile(temporary, bytes, { flush: true });
    await rename(temporary, path);
  }
}

/** Makes the names of files in a folder outlive a loss of power, where the system can. */
export async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  const folder = await open(path);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** The bytes of a file; `undefined` if there is none. */
export function readIfThere(path: string): Promise<Buffer | undefined> {
  return orIfMissing(readFile(path), undefined);
}

/** The names in a folder; none if there is no folder. */
export function listIfThere(path: string): Promise<string[]> {
  return orIfMissing(readdir(path), []);
}

async function orIfMissing<Result, Other>(
  reading: Promise<Result>,
  other: Other,
): Promise<Result | Other> {
  try {
    return await reading;
  } catch (error) {
    if (hasProperty(error, 'code', 'ENOENT')) return other;
    throw error;
  }
}

function hasProperty(error: unknown, name: string, value: unknown): boolean {
  return error instanceof Error && Reflect.get(error, name) === value;
}

/** One name for one file, also where upper and lower case are the same. */
function encodeName(name: string): string {
  const encoded = name.replaceAll(/[^a-z0-9.-]|^\./gu, (character) =>
    Buffer.from(character, 'utf8').reduce((text, byte) => `${text}%${toHex(byte)}`, ''),
  );
  if (encoded !== '' && encoded.length <= LONGEST_NAME) return encoded;
  return `%${createHash('sha256').update(name).digest('hex')}`;
}

function toHex(byte: number): string {
  return byte.toString(16).padStart(2, '0').toUpperCase();
}
