import { randomUUID } from 'node:crypto';
import { mkdir, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { SynclineError, sha256 } from '@syncline/contract';

const HOUR_MS = 3_600_000;
/** A clone that nobody has used for so long belongs to a registry that is gone, or may as well be made anew. */
const UNUSED_AFTER_MS = 7 * 24 * HOUR_MS;
/** No run takes so long: whoever had it, on whatever machine, is gone. */
const ABANDONED_AFTER_MS = 24 * HOUR_MS;
const CLEAN_EVERY_MS = HOUR_MS;

/** A clone, or the place for one, that nobody else has. */
export interface ClaimedClone {
  readonly directory: string;
  /** There is nothing in it. */
  readonly isNew: boolean;
  readonly home: string;
}

/**
 * The clones that are kept between runs: a cache, which may be deleted at any time. Whoever uses one
 * takes it away under a name of its own, and puts it back when done; so nobody else can write it, and
 * what a process leaves behind that dies in the middle is never used again.
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

  /** Takes the clone of a key, or a new place where there is none, or somebody else has it. */
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

  /** A new place, whatever there is. @throws SynclineError `source-git-failed` where there can be none */
  async claimNew(key: string): Promise<ClaimedClone> {
    const { home, directory } = this.#placesFor(key);
    try {
      await mkdir(directory, { recursive: true });
    } catch (cause) {
      throw cannotKeep(this.#directory, cause);
    }
    return { home, directory, isNew: true };
  }

  /** Puts a clone back for the next run; where another was quicker, that one stays. */
  async giveBack({ home, directory }: ClaimedClone): Promise<void> {
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
    // In a container every process of ours may have had the number that we have now.
    return pid === ownPid || !isAlive(Number(pid));
  }
}

function cannotKeep(directory: string, cause: unknown): SynclineError {
  const detail = cause instanceof Error ? cause.message : String(cause);
  return new SynclineError('source-git-failed', `cannot keep clones: ${detail}`, {
    expected: `${directory} to be a directory that the worker may write`,
    cause,
  });
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return !(error instanceof Error && 'code' in error && error.code === 'ESRCH');
  }
}
