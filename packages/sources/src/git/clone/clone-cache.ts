import { randomUUID } from 'node:crypto';
import { chmod, mkdir, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { SynclineError, sha256 } from '@syncline/contract';

const HOUR_MS = 3_600_000;
/**
 * A clone is deleted if no run has used it for this time, because its registry has probably been removed. If
 * the registry still exists, its next run makes a new clone.
 */
const UNUSED_AFTER_MS = 7 * 24 * HOUR_MS;
/**
 * No run takes this long. So if a clone was claimed longer ago, the process that claimed the clone has ended,
 * even if it ran on another machine.
 */
const ABANDONED_AFTER_MS = 24 * HOUR_MS;
const CLEAN_EVERY_MS = HOUR_MS;
/** Only the owner may read clones, because repositories may be private. */
const PRIVATE = 0o700;

/** A clone, or an empty directory for a clone, that one run uses exclusively. */
export interface ClaimedClone {
  readonly directory: string;
  /** Whether the directory is empty. */
  readonly isNew: boolean;
  readonly home: string;
}

/**
 * Keeps clones between runs. The clones are a cache: you may delete them at any time. A run renames the clone
 * that it uses, and renames it back at the end. So no other run can write to the clone. If a process ends
 * during a run, no later run uses the clone of that run.
 */
export class CloneCache {
  readonly #directory: string;
  readonly #process =
    `${hostname().replaceAll(/[^\w-]/g, '')}.${process.pid}.${randomUUID().slice(0, 8)}`;
  #claims = 0;
  #cleanedAtMs = Number.NEGATIVE_INFINITY;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /**
   * Claims the clone for a key. If no clone exists or another run has claimed it, claims an empty directory.
   */
  async claim(key: string): Promise<ClaimedClone> {
    await this.#clean();
    const { home, directory } = this.#placesFor(key);
    try {
      await rename(home, directory);
      await utimes(directory, new Date(), new Date());
      return { home, directory, isNew: false };
    } catch {
      return this.claimNew(key);
    }
  }

  /**
   * Claims an empty directory. @throws SynclineError `source-git-failed` if the directory cannot be created
   */
  async claimNew(key: string): Promise<ClaimedClone> {
    const { home, directory } = this.#placesFor(key);
    try {
      await mkdir(directory, { recursive: true, mode: PRIVATE });
    } catch (cause) {
      const detail = cause instanceof Error ? cause.message : String(cause);
      const what = `cannot store clones: ${detail}. Give the worker write access to ${this.#directory}`;
      throw new SynclineError('source-git-failed', what, { cause });
    }
    return { home, directory, isNew: true };
  }

  /** Keeps a clone for the next run. If another run has kept a clone in the meantime, deletes this one. */
  async keep({ home, directory }: ClaimedClone): Promise<void> {
    try {
      await utimes(directory, new Date(), new Date());
      await rename(directory, home);
    } catch {
      await rm(directory, { recursive: true, force: true });
    }
  }

  async discard({ directory }: ClaimedClone): Promise<void> {
    await rm(directory, { recursive: true, force: true });
  }

  #placesFor(key: string) {
    const home = join(this.#directory, sha256(key).slice(0, 32));
    this.#claims += 1;
    return { home, directory: `${home}.${this.#process}.${this.#claims}` };
  }

  async #clean(): Promise<void> {
    if (performance.now() - this.#cleanedAtMs < CLEAN_EVERY_MS) return;
    this.#cleanedAtMs = performance.now();
    // An earlier version made the folder readable for all users.
    await chmod(this.#directory, PRIVATE).catch(() => undefined);
    const names = await readdir(this.#directory).catch(() => []);
    for (const name of names) {
      const path = join(this.#directory, name);
      const mtimeMs = await stat(path).then(
        (stats) => stats.mtimeMs,
        () => Date.now(),
      );
      if (this.#isDone(name, Date.now() - mtimeMs)) {
        await rm(path, { recursive: true, force: true }).catch(() => undefined);
      }
    }
  }

  #isDone(name: string, ageMs: number): boolean {
    const [, host, pid, id] = name.split('.');
    if (host === undefined) return ageMs > UNUSED_AFTER_MS;
    if (ageMs > ABANDONED_AFTER_MS) return true;
    const [ownHost, ownPid, ownId] = this.#process.split('.');
    if (host !== ownHost || id === ownId) return false;
    // In a container, an earlier process may have had the same process id.
    return pid === ownPid || !isAlive(Number(pid));
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return !(error instanceof Error && 'code' in error && error.code === 'ESRCH');
  }
}
