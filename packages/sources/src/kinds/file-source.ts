import { createHash } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { onAbort, SynclineError } from '@syncline/contract';
import {
  MAX_BODY_BYTES,
  MAX_KEPT_BYTES,
  type Probe,
  type Source,
  type SourceContext,
  type TakeBody,
  type WholeReading,
} from '../source.ts';

/**
 * The maximum number of bytes that one call reads. Between short calls, a thread can read other files.
 */
const CHUNK_BYTES = 1024 * 1024;
/**
 * Some file systems have a coarse clock. So a file that changed less than this long before a read may
 * change again with the same times. For such a file, the revision has only the digest and no stamp.
 */
const SETTLED_AFTER_MS = 2_000;

interface ReadFile {
  readonly revision: string;
  /** `undefined` if the file is too large to keep. */
  readonly bytes: Uint8Array | undefined;
  readonly memory: Disposable;
}

/** Reads a registry from a file. The revision is `<size>-<mtime ms>-<ctime ms>:<sha256>`. */
export class FileSource implements Source {
  readonly #path: string;
  readonly #calls: FileCalls;
  #read: ReadFile | undefined;

  constructor({ path, calls }: { readonly path: string; readonly calls: FileCalls }) {
    this.#path = path;
    this.#calls = calls;
  }

  async probe(known: string, context: SourceContext): Promise<Probe> {
    const { signal } = context;
    const [knownStamp, knownDigest] = known.split(':');
    const stats = await this.#explained(signal, () => this.#calls.stat(this.#path, signal));
    if (stampOf(stats) === knownStamp) return { state: 'unchanged' };
    this.#read = await this.#readFile(context, { maxKeptBytes: MAX_KEPT_BYTES });
    const { revision, memory } = this.#read;
    if (!revision.endsWith(`:${knownDigest}`)) return { state: 'changed' };
    memory[Symbol.dispose]();
    this.#read = undefined;
    return { state: 'unchanged', revision };
  }

  async fetch(
    take: TakeBody,
    context: SourceContext,
  ): Promise<WholeReading & { revision: string }> {
    const read = this.#read;
    // `take` may transfer the bytes to a thread, so the next fetch must read them again.
    this.#read = undefined;
    const { bytes, revision, memory } = await (read?.bytes === undefined
      ? this.#readFile(context, { maxKeptBytes: MAX_BODY_BYTES })
      : read);
    using _memory = memory;
    await take(bytes ?? new Uint8Array());
    return { kind: 'whole', revision };
  }

  #readFile(
    { signal, upstream, memory: account }: SourceContext,
    { maxKeptBytes }: { maxKeptBytes: number },
  ): Promise<ReadFile> {
    return this.#explained(signal, async () => {
      const file = await this.#open(signal);
      try {
        // One file handle gives both the stamp and the bytes, so both belong to the same file.
        const stats = await this.#call(signal, () => file.stat());
        this.#calls.learn(this.#path, stats.dev);
        if (!stats.isFile()) throw unreadable(`${this.#path} is not a file`);
        if (stats.size > MAX_BODY_BYTES) {
          const what = `${this.#path} has ${stats.size} bytes. The limit is ${MAX_BODY_BYTES}`;
          throw new SynclineError('source-too-large', what);
        }
        const isKept = stats.size <= maxKeptBytes;
        const { size } = stats;
        const memoryBytes = isKept ? size : CHUNK_BYTES;
        const memory = await account.reserve(memoryBytes, { use: 'body', signal });
        const { bytes, digest, read } = await this.#readAll(file, { size, isKept, signal }).catch(
          (error: unknown) => {
            memory[Symbol.dispose]();
            throw error;
          },
        );
        if (!isKept) memory[Symbol.dispose]();
        upstream.requests += 1;
        upstream.bytes += read;
        const settled = Date.now() - stats.mtimeMs > SETTLED_AFTER_MS;
        return { bytes, memory, revision: `${settled ? stampOf(stats) : ''}:${digest}` };
      } finally {
        // Does not await the call, because the call never returns if the file system hangs.
        file.close().catch(() => {});
      }
    });
  }

  /** Opens the file. Does not wait for a writer of a named pipe, because nothing could end that wait. */
  async #open(signal: AbortSignal): Promise<FileHandle> {
    let opening: Promise<FileHandle> | undefined;
    try {
      return await this.#call(signal, () => {
        opening = open(this.#path, constants.O_RDONLY | constants.O_NONBLOCK);
        return opening;
      });
    } catch (error) {
      // The file may still open after the wait has ended. Then close it.
      opening?.then((file) => file.close()).catch(() => {});
      throw error;
    }
  }

  /** Reads as many bytes as the file had when it was opened. */
  async #readAll(
    file: FileHandle,
    { size, isKept, signal }: { size: number; isKept: boolean; signal: AbortSignal },
  ) {
    const buffer = Buffer.allocUnsafeSlow(isKept ? size : CHUNK_BYTES);
    const hash = createHash('sha256');
    let read = 0;
    while (read < size) {
      const offset = isKept ? read : 0;
      const length = Math.min(CHUNK_BYTES, size - read);
      const { bytesRead } = await this.#call(signal, () => file.read(buffer, offset, length, read));
      if (bytesRead === 0) break;
      hash.update(buffer.subarray(offset, offset + bytesRead));
      read += bytesRead;
    }
    const bytes = isKept ? buffer.subarray(0, read) : undefined;
    return { bytes, digest: hash.digest('hex'), read };
  }

  #call<Result>(signal: AbortSignal, call: () => Promise<Result>): Promise<Result> {
    return this.#calls.make(this.#path, signal, call);
  }

  /** Turns a file system error into an error that names the file. */
  async #explained<Result>(signal: AbortSignal, work: () => Promise<Result>): Promise<Result> {
    try {
      return await work();
    } catch (cause) {
      if (signal.aborted || cause instanceof SynclineError) throw cause;
      const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
      if (code === 'ENOENT' || code === 'ENOTDIR') {
        const what = `the file ${this.#path} does not exist`;
        throw new SynclineError('source-file-missing', what, { cause });
      }
      const detail = cause instanceof Error ? cause.message : String(cause);
      throw unreadable(`cannot read ${this.#path}: ${detail}`, cause);
    }
  }
}

function unreadable(what: string, cause?: unknown): SynclineError {
  return new SynclineError('source-file-unreadable', what, { cause });
}

/** Returns a stamp that changes when the file changes. */
function stampOf({ size, mtimeMs, ctimeMs }: Stats): string {
  return `${size}-${mtimeMs}-${ctimeMs}`;
}

/** The default timeout of a call. A working file system responds much sooner. */
const TIMEOUT_MS = 30_000;
/** Node has four threads by default. The fourth thread looks up host names. */
const DEFAULT_MAX_THREADS = 3;
/**
 * Calls to one file system use at most this fraction of the threads: a third. So if one or two file
 * systems hang, other file systems still get threads.
 */
const FILE_SYSTEMS_AT_ONCE = 3;

export interface FileCallsOptions {
  /** The maximum duration of a call, including the wait for a thread. Default: 30,000. */
  readonly timeoutMs?: number;
  /**
   * The maximum number of threads of libuv's pool that these calls occupy at the same time. Default: 3.
   */
  readonly maxThreads?: number | undefined;
}

/** A call that is running or waits for a thread. */
interface Call {
  readonly place: string;
  readonly begin: () => void;
  isBegun: boolean;
}

/**
 * Makes calls to file systems. A call may never return, for example because the server of the file system
 * is down. Nothing can end this call, and it occupies its thread. So calls to one file system use at most
 * a third of the threads. While a call to a file system is overdue, new calls to this file system wait.
 * Create one instance per process.
 */
export class FileCalls {
  readonly #timeoutMs: number;
  readonly #maxThreads: number;
  readonly #maxThreadsOfPlace: number;
  #threads = 0;
  readonly #threadsOfPlace = new Map<string, number>();
  readonly #waiting = new Set<Call>();
  /** The file system of each path. Until it is known, each folder counts as a separate file system. */
  readonly #devices = new Map<string, number>();
  /** Calls that have started and have not returned in time. */
  readonly #overdue = new Set<Call>();

  constructor({ timeoutMs = TIMEOUT_MS, maxThreads = DEFAULT_MAX_THREADS }: FileCallsOptions = {}) {
    this.#timeoutMs = timeoutMs;
    this.#maxThreads = maxThreads;
    this.#maxThreadsOfPlace = Math.ceil(maxThreads / FILE_SYSTEMS_AT_ONCE);
  }

  /** Stores which file system a path is on. */
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
   * Makes a call about `path` as soon as a thread is free for its file system.
   *
   * @throws SynclineError `source-timeout`; the signal's reason; the error that the call throws
   */
  make<Result>(path: string, signal: AbortSignal, call: () => Promise<Result>): Promise<Result> {
    const place = String(this.#devices.get(path) ?? dirname(path));
    if (signal.aborted) return Promise.reject(signal.reason);
    if (this.#isHanging(place)) return Promise.reject(hangs(path));
    // Each tick of a file runs this code, so it creates only one promise, one timer and one listener.
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
      // A call that has started continues, and may still become overdue.
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
