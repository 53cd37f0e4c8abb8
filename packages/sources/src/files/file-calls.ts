import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { SynclineError } from '@syncline/contract';
import { orAbort } from '../or-abort.ts';
import { Slots } from '../slots.ts';
import { FileStats } from './file-stats.ts';
import type { FileStamp } from './file-stats-thread.ts';

/** A file system that answers at all answers sooner. */
const TIMEOUT_MS = 30_000;
/** All calls of a process share four threads, and so do others: one is for looking up the names of hosts. */
const MAX_AT_ONCE = 3;
/** Each takes some megabytes. */
const MAX_STAT_THREADS = 3;
const STATS_THREAD = new URL('./file-stats-thread.ts', import.meta.url).href;

export interface FileCallsOptions {
  /** How long a call may take, with its turn. Default: 30,000. */
  readonly timeoutMs?: number;
  /** The module that looks at files in a thread; tests have one that hangs. */
  readonly statsThread?: string;
}

/**
 * Calls to file systems. One that never returns, as of a server that is gone, cannot be ended, and keeps a
 * thread. So each file system is asked one thing at a time, and nothing while a call to it hangs: what it
 * costs is one thread. One per process.
 */
export class FileCalls {
  readonly #timeoutMs: number;
  readonly #statsThread: string;
  readonly #threads = new Slots(MAX_AT_ONCE);
  readonly #turns = new Map<string, Slots>();
  /** The file system of each path, once it is known; before that, one is taken to be a folder's own. */
  readonly #devices = new Map<string, number>();
  /** Places of which a call, or a thread, is overdue. */
  readonly #hanging = { calls: new Set<string>(), looks: new Set<string>() };
  /** By file system. */
  readonly #stats = new Map<number, FileStats>();

  constructor({ timeoutMs = TIMEOUT_MS, statsThread = STATS_THREAD }: FileCallsOptions = {}) {
    this.#timeoutMs = timeoutMs;
    this.#statsThread = statsThread;
  }

  /** Notes what a path lies on. */
  learn(path: string, device: number): void {
    this.#devices.set(path, device);
  }

  /**
   * Looks at a file. Once it is known what that lies on, it does so in a thread that is none of the four: very many
   * are looked at together, and one that hangs takes none of them.
   *
   * @throws SynclineError `source-timeout`; the signal's reason; what the file system says
   */
  async stat(path: string, signal: AbortSignal): Promise<FileStamp> {
    const thread = this.#statsOf(path);
    const seen =
      thread &&
      (await this.#within('looks', { path, signal }, ({ place }) => {
        const looking = thread.stat(path);
        void looking.then(() => this.#hanging.looks.delete(place));
        return looking;
      }));
    const stamp = seen ?? (await this.make(path, signal, () => stat(path)));
    this.learn(path, stamp.dev);
    return stamp;
  }

  /** `undefined` where it is not known what the path lies on, or all threads are taken. */
  #statsOf(path: string): FileStats | undefined {
    const device = this.#devices.get(path);
    if (device === undefined) return undefined;
    const known = this.#stats.get(device);
    if (known !== undefined || this.#stats.size >= MAX_STAT_THREADS) return known;
    const thread = new FileStats(this.#statsThread);
    this.#stats.set(device, thread);
    return thread;
  }

  /**
   * Makes a call that has to do with `path`, in its turn.
   *
   * @throws SynclineError `source-timeout`; the signal's reason; what the call throws
   */
  async make<Result>(
    path: string,
    signal: AbortSignal,
    call: () => Promise<Result>,
  ): Promise<Result> {
    if (this.#hanging.calls.size >= MAX_AT_ONCE) throw hangs(path);
    return this.#within('calls', { path, signal }, async ({ place, limit }) => {
      const turn = await this.#takeTurn(place, limit);
      const calling = call();
      const end = () => {
        this.#hanging.calls.delete(place);
        turn.release();
      };
      calling.then(end, end);
      return calling;
    });
  }

  /** What is asked of a file system, unless that does not answer in time, or did not before. */
  async #within<Result>(
    what: 'calls' | 'looks',
    { path, signal }: { path: string; signal: AbortSignal },
    ask: (of: { place: string; limit: AbortSignal }) => Promise<Result>,
  ): Promise<Result> {
    const place = String(this.#devices.get(path) ?? dirname(path));
    const { calls, looks } = this.#hanging;
    if (calls.has(place) || looks.has(place)) throw hangs(path);
    const limit = new AbortController();
    const timer = setTimeout(() => {
      this.#hanging[what].add(place);
      limit.abort(hangs(path));
    }, this.#timeoutMs);
    const onAbort = () => limit.abort(signal.reason);
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
    try {
      return await orAbort(ask({ place, limit: limit.signal }), limit.signal);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    }
  }

  async #takeTurn(place: string, signal: AbortSignal): Promise<{ release: () => void }> {
    signal.throwIfAborted();
    const turns = this.#turns.get(place) ?? new Slots(1);
    this.#turns.set(place, turns);
    const turn = await turns.take(signal);
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
