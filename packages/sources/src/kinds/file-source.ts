import { createHash } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { type SourceBlocks, SynclineError } from '@syncline/contract';
import type { FileCalls } from '../files/file-calls.ts';
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
