import { createHash } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { onAbort, type SourceBlocks, SynclineError } from '@syncline/contract';
import type {
  Probe,
  Source,
  SourceContext,
  SourceTools,
  TakeBody,
  WholeReading,
} from '../source.ts';
import { UrlSource } from './url-source.ts';

/** A larger file is no registry: the official one, whole, has some 150 MB. */
const MAX_FILE_BYTES = 512 * 1024 * 1024;
/** Checks are many at once: what is larger is only hashed by them, and read again by those that need it. */
const MAX_KEPT_BYTES = 64 * 1024 * 1024;
/** A call that reads so much is over soon, and others have their turn. */
const CHUNK_BYTES = 1024 * 1024;
/**
 * A file that was changed less than this before it was read may change again without its times telling,
 * where the file system's clock is coarse: its stamp is not trusted, only its digest.
 */
const SETTLED_AFTER_MS = 2_000;

/** What tells whether a file has changed. */
type FileStamp = Pick<Stats, 'size' | 'mtimeMs' | 'ctimeMs'>;

export interface FileSourceOptions {
  readonly path: string;
  readonly calls: FileCalls;
}

interface ReadFile {
  readonly revision: string;
  /** `undefined` where they were not to be kept. */
  readonly bytes: Uint8Array | undefined;
}

/** Opens a registry in a file, on the disk or behind a URL. */
export function openFile(
  { path, url = '', timeout, ...access }: SourceBlocks['file'],
  { tools: { calls, http } }: { tools: SourceTools },
): Source {
  if (path !== undefined) return new FileSource({ path, calls });
  return new UrlSource({ url, timeoutMs: timeout, access, http });
}

/** A registry in a file. Its revision is `<size>-<mtime ms>-<ctime ms>:<sha256>`. */
export class FileSource implements Source {
  readonly #path: string;
  readonly #calls: FileCalls;
  #read: ReadFile | undefined;

  constructor({ path, calls }: FileSourceOptions) {
    this.#path = path;
    this.#calls = calls;
  }

  async probe(known: string, context: SourceContext): Promise<Probe> {
    const [knownStamp, knownDigest] = known.split(':');
    if (stampOf(await this.#stat(context)) === knownStamp) return { state: 'unchanged' };
    this.#read = await this.#readFile(context, MAX_KEPT_BYTES);
    const { revision } = this.#read;
    return revision.endsWith(`:${knownDigest}`)
      ? { state: 'unchanged', revision }
      : { state: 'changed' };
  }

  async fetch(
    take: TakeBody,
    context: SourceContext,
  ): Promise<WholeReading & { revision: string }> {
    const read = this.#read;
    // The bytes are given away: whoever fetches again needs others.
    this.#read = undefined;
    const { bytes, revision } = await (read?.bytes === undefined
      ? this.#readFile(context, MAX_FILE_BYTES)
      : read);
    await take(bytes ?? new Uint8Array());
    return { kind: 'whole', revision };
  }

  async #stat({ signal }: SourceContext): Promise<FileStamp> {
    try {
      return await this.#calls.stat(this.#path, signal);
    } catch (error) {
      throw signal.aborted ? error : this.#unreadable(error);
    }
  }

  async #readFile({ signal, upstream }: SourceContext, maxKeptBytes: number): Promise<ReadFile> {
    let file: FileHandle | undefined;
    try {
      file = await this.#open(signal);
      // One handle for both, so that the stamp and the bytes are of the same file.
      const stats = await this.#statOf(file, signal);
      this.#calls.learn(this.#path, stats.dev);
      if (!stats.isFile()) throw this.#notAFile();
      if (stats.size > MAX_FILE_BYTES) throw this.#tooLarge(stats.size);
      const { bytes, digest, size } = await this.#readAll(file, { stats, maxKeptBytes, signal });
      upstream.requests += 1;
      upstream.bytes += size;
      const settled = Date.now() - stats.mtimeMs > SETTLED_AFTER_MS;
      return { bytes, revision: `${settled ? stampOf(stats) : ''}:${digest}` };
    } catch (error) {
      throw signal.aborted ? error : this.#unreadable(error);
    } finally {
      // Not waited for: where the file system hangs, this does too.
      file?.close().catch(() => {});
    }
  }

  /** Without waiting for somebody to write, where it is a pipe: nothing would end that. */
  async #open(signal: AbortSignal): Promise<FileHandle> {
    let opening: Promise<FileHandle> | undefined;
    try {
      return await this.#call(signal, () => {
        opening = open(this.#path, constants.O_RDONLY | constants.O_NONBLOCK);
        return opening;
      });
    } catch (error) {
      // It may come when nobody waits for it any more.
      opening?.then((file) => file.close()).catch(() => {});
      throw error;
    }
  }

  #statOf(file: FileHandle, signal: AbortSignal): Promise<Stats> {
    return this.#call(signal, () => file.stat());
  }

  /** As many bytes as the file had when it was looked at. */
  async #readAll(
    file: FileHandle,
    {
      stats: { size },
      maxKeptBytes,
      signal,
    }: { stats: Stats; maxKeptBytes: number; signal: AbortSignal },
  ): Promise<{ bytes: Uint8Array | undefined; digest: string; size: number }> {
    const isKept = size <= maxKeptBytes;
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
    return { bytes, digest: hash.digest('hex'), size: read };
  }

  #call<Result>(signal: AbortSignal, call: () => Promise<Result>): Promise<Result> {
    return this.#calls.make(this.#path, signal, call);
  }

  #unreadable(cause: unknown): SynclineError {
    if (cause instanceof SynclineError) return cause;
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      return new SynclineError('source-file-missing', `there is no file ${this.#path}`, { cause });
    }
    const detail = cause instanceof Error ? cause.message : String(cause);
    return new SynclineError('source-file-unreadable', `cannot read ${this.#path}: ${detail}`, {
      cause,
    });
  }

  #notAFile(): SynclineError {
    return new SynclineError('source-file-unreadable', `${this.#path} is no file`, {
      expected: 'a regular file',
    });
  }

  #tooLarge(size: number): SynclineError {
    return new SynclineError('source-too-large', `${this.#path} has ${size} bytes`, {
      expected: `at most ${MAX_FILE_BYTES}`,
    });
  }
}

function stampOf({ size, mtimeMs, ctimeMs }: FileStamp): string {
  return `${size}-${mtimeMs}-${ctimeMs}`;
}

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
