import type { Stats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { onAbort, SynclineError } from '@syncline/contract';
import { orAbort } from '../or-abort.ts';
import { Slots } from '../slots.ts';

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
  readonly #threads: Slots;
  readonly #threadsOfPlace = new Map<string, Slots>();
  /** The file system of each path. Until it is known, each folder counts as a file system of its own. */
  readonly #devices = new Map<string, number>();
  /** Calls that were begun and have not returned in time. */
  readonly #overdue = new Set<Call>();

  constructor({ timeoutMs = TIMEOUT_MS, maxThreads = DEFAULT_MAX_THREADS }: FileCallsOptions = {}) {
    this.#timeoutMs = timeoutMs;
    this.#maxThreads = maxThreads;
    this.#threads = new Slots(maxThreads);
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
  async make<Result>(
    path: string,
    signal: AbortSignal,
    call: () => Promise<Result>,
  ): Promise<Result> {
    const made = { place: String(this.#devices.get(path) ?? dirname(path)), isBegun: false };
    if (this.#isHanging(made.place)) throw hangs(path);
    const limit = new AbortController();
    using _listening = onAbort(signal, () => limit.abort(signal.reason));
    const timer = setTimeout(() => {
      if (made.isBegun) this.#overdue.add(made);
      limit.abort(hangs(path));
    }, this.#timeoutMs);
    try {
      const thread = await this.#takeThread(made.place, limit.signal);
      made.isBegun = true;
      const calling = call();
      const end = () => {
        clearTimeout(timer);
        this.#overdue.delete(made);
        thread.release();
      };
      calling.then(end, end);
      return await orAbort(calling, limit.signal);
    } finally {
      // A call that goes on after an abort may still become overdue.
      if (!made.isBegun) clearTimeout(timer);
    }
  }

  #isHanging(place: string): boolean {
    if (this.#overdue.size >= this.#maxThreads) return true;
    for (const call of this.#overdue) if (call.place === place) return true;
    return false;
  }

  async #takeThread(place: string, signal: AbortSignal): Promise<{ release: () => void }> {
    signal.throwIfAborted();
    const perPlace = Math.ceil(this.#maxThreads / FILE_SYSTEMS_AT_ONCE);
    const ofPlace = this.#threadsOfPlace.get(place) ?? new Slots(perPlace);
    this.#threadsOfPlace.set(place, ofPlace);
    const turn = await ofPlace.take(signal);
    try {
      const thread = await this.#threads.take(signal);
      return {
        release: () => {
          thread.release();
          turn.release();
        },
      };
    } catch (error) {
      turn.release();
      throw error;
    }
  }
}

function hangs(path: string): SynclineError {
  return new SynclineError('source-timeout', `the file system of ${path} does not answer`);
}
