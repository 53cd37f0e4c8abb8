import { dirname } from 'node:path';
import { SynclineError } from '@syncline/contract';
import { Slots } from '../ingest/slots.ts';
import { orAbort } from '../or-abort.ts';

/** A file system that answers at all answers sooner. */
const TIMEOUT_MS = 30_000;
/** All calls of a process share four threads, and so do others: one is for looking up the names of hosts. */
const MAX_AT_ONCE = 3;

export interface FileCallsOptions {
  /** How long a call may take, with its turn. Default: 30,000. */
  readonly timeoutMs?: number;
}

/**
 * Calls to file systems. One that never returns, as of a server that is gone, cannot be ended, and keeps a
 * thread. So each file system is asked one thing at a time, and nothing while a call to it hangs: what it
 * costs is one thread. One per process.
 */
export class FileCalls {
  readonly #timeoutMs: number;
  readonly #threads = new Slots(MAX_AT_ONCE);
  readonly #turns = new Map<string, Slots>();
  /** The file system of each path, once it is known; before that, one is taken to be a folder's own. */
  readonly #devices = new Map<string, number>();
  readonly #hanging = new Set<string>();

  constructor({ timeoutMs = TIMEOUT_MS }: FileCallsOptions = {}) {
    this.#timeoutMs = timeoutMs;
  }

  /** Notes what a path lies on. */
  learn(path: string, device: number): void {
    this.#devices.set(path, device);
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
    const place = String(this.#devices.get(path) ?? dirname(path));
    if (this.#hanging.has(place) || this.#hanging.size >= MAX_AT_ONCE) throw hangs(path);
    const limit = new AbortController();
    const timer = setTimeout(() => {
      this.#hanging.add(place);
      limit.abort(hangs(path));
    }, this.#timeoutMs);
    const onAbort = () => limit.abort(signal.reason);
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
    try {
      const turn = await this.#takeTurn(place, limit.signal);
      const calling = call();
      const end = () => {
        this.#hanging.delete(place);
        turn.release();
      };
      calling.then(end, end);
      return await orAbort(calling, limit.signal);
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
