import type { Stats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { onAbort, SynclineError } from '@syncline/contract';

/** A file system that answers at all answers sooner. */
const TIMEOUT_MS = 30_000;
/** Node has four by default; the one that is left looks up host names. */
const DEFAULT_MAX_THREADS = 3;
/** One file system, or two, that hang leave threads for the others. */
const FILE_SYSTEMS_AT_ONCE = 3;

export interface FileCallsOptions {
  /** How long a call may take, with its wait for a thread. Default: 30,000. */
  readonly timeoutMs?: number;
  /** How many threads of libuv's pool these calls may hold at once. Default: 3. */
  readonly maxThreads?: number;
}

/** A call, from the wait for a thread to its end. */
interface Call {
  readonly place: string;
  readonly begin: () => void;
  isBegun: boolean;
}

/**
 * Calls to file systems. A call that never returns, for example because its server is gone, cannot be
 * ended and keeps its thread. So one file system gets a third of the threads at most, and is not asked
 * while a call to it is overdue. One per process.
 */
export class FileCalls {
  readonly #timeoutMs: number;
  readonly #maxThreads: number;
  readonly #maxThreadsOfPlace: number;
  #threads = 0;
  readonly #threadsOfPlace = new Map<string, number>();
  readonly #waiting = new Set<Call>();
  /** The file system of each path. Until it is known, each folder counts as a file system of its own. */
  readonly #devices = new Map<string, number>();
  /** Calls that were begun and have not returned in time. */
  readonly #overdue = new Set<Call>();

  constructor({ timeoutMs = TIMEOUT_MS, maxThreads = DEFAULT_MAX_THREADS }: FileCallsOptions = {}) {
    this.#timeoutMs = timeoutMs;
    this.#maxThreads = maxThreads;
    this.#maxThreadsOfPlace = Math.ceil(maxThreads / FILE_SYSTEMS_AT_ONCE);
  }

  /** Notes which file system a path lies on. */
  learn(path: string, device: number): void {
    this.#devices.set(path, device);
  }

  /**
   * Returns the size, times and file system of a file.
   *
   * @throws SynclineError `source-timeout`; the signal's reason; the file system's error
   */
  async stat(path: string, signal: AbortSignal): Promise<Stats> {
    const stats = await this.make(path, signal, () => stat(path));
    this.learn(path, stats.dev);
    return stats;
  }

  /**
   * Makes a call that concerns `path`, as soon as its file system may have a thread.
   *
   * @throws SynclineError `source-timeout`; the signal's reason; what the call throws
   */
  make<Result>(path: string, signal: AbortSignal, call: () => Promise<Result>): Promise<Result> {
    const place = String(this.#devices.get(path) ?? dirname(path));
    if (signal.aborted) return Promise.reject(signal.reason);
    if (this.#isHanging(place)) return Promise.reject(hangs(path));
    // Each tick of a file comes by here: one promise, one timer and one listener are all it costs.
    const { promise, resolve, reject } = Promise.withResolvers<Result>();
    const end = () => {
      clearTimeout(timer);
      listening[Symbol.dispose]();
      this.#overdue.delete(made);
      this.#free(place);
    };
    const begin = () => {
      made.isBegun = true;
      this.#take(place);
      const calling = call();
      calling.then(resolve, reject);
      calling.then(end, end);
    };
    const made: Call = { place, begin, isBegun: false };
    const timer = setTimeout(() => {
      if (made.isBegun) this.#overdue.add(made);
      this.#waiting.delete(made);
      listening[Symbol.dispose]();
      reject(hangs(path));
    }, this.#timeoutMs);
    const listening = onAbort(signal, () => {
      // A call that was begun goes on, and may still become overdue.
      if (this.#waiting.delete(made)) clearTimeout(timer);
      reject(signal.reason);
    });
    if (this.#hasThreadFor(place)) begin();
    else this.#waiting.add(made);
    return promise;
  }

  #isHanging(place: string): boolean {
    if (this.#overdue.size >= this.#maxThreads) return true;
    for (const call of this.#overdue) if (call.place === place) return true;
    return false;
  }

  #hasThreadFor(place: string): boolean {
    const ofPlace = this.#threadsOfPlace.get(place) ?? 0;
    return this.#threads < this.#maxThreads && ofPlace < this.#maxThreadsOfPlace;
  }

  #take(place: string): void {
    this.#threads += 1;
    this.#threadsOfPlace.set(place, (this.#threadsOfPlace.get(place) ?? 0) + 1);
  }

  #free(place: string): void {
    this.#threads -= 1;
    this.#threadsOfPlace.set(place, (this.#threadsOfPlace.get(place) ?? 0) - 1);
    for (const next of this.#waiting) {
      if (!this.#hasThreadFor(next.place)) continue;
      this.#waiting.delete(next);
      next.begin();
      return;
    }
  }
}

function hangs(path: string): SynclineError {
  return new SynclineError('source-timeout', `the file system of ${path} does not answer`);
}
