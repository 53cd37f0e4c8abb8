import { constants, type Stats, stat } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { SynclineError } from '@syncline/contract';
import { sha256 } from '../snapshot/digest.ts';
import type { Probe, Source, SourceContext, TakeBody } from './source.ts';

/** A larger file is no registry: the official one, whole, has some 150 MB. */
const MAX_FILE_BYTES = 512 * 1024 * 1024;
/**
 * A file that was changed less than this before it was read may change again without its times telling,
 * where the file system's clock is coarse: its stamp is not trusted, only its digest.
 */
const SETTLED_AFTER_MS = 2_000;

/** A tick that finds nothing new does little else; the one of `fs/promises` takes half as long again. */
const statFile = promisify(stat);

/** A registry in a file. Its revision is `<size>-<mtime ms>-<ctime ms>:<sha256>`. */
export class FileSource implements Source {
  readonly #path: string;
  #read: { readonly bytes: Uint8Array; readonly revision: string } | undefined;

  constructor({ path }: { path: string }) {
    this.#path = path;
  }

  async probe(known: string, context: SourceContext): Promise<Probe> {
    const [knownStamp, knownDigest] = known.split(':');
    if (stampOf(await this.#stat()) === knownStamp) return { state: 'unchanged' };
    this.#read = await this.#readFile(context);
    const { revision } = this.#read;
    return revision.endsWith(`:${knownDigest}`)
      ? { state: 'unchanged', revision }
      : { state: 'changed' };
  }

  async fetch(take: TakeBody, context: SourceContext): Promise<{ revision: string }> {
    const { bytes, revision } = this.#read ?? (await this.#readFile(context));
    // The bytes are given away: whoever fetches again needs others.
    this.#read = undefined;
    await take(bytes);
    return { revision };
  }

  async #stat(): Promise<Stats> {
    try {
      return await statFile(this.#path);
    } catch (error) {
      throw this.#unreadable(error);
    }
  }

  async #readFile({ signal, upstream }: SourceContext) {
    try {
      // One handle for both, so that the stamp and the bytes are of the same file. Opened without waiting for
      // somebody to write, where it is a pipe: nothing would end that.
      await using file = await open(this.#path, constants.O_RDONLY | constants.O_NONBLOCK);
      const stats = await file.stat();
      if (!stats.isFile()) throw this.#notAFile();
      if (stats.size > MAX_FILE_BYTES) throw this.#tooLarge(stats.size);
      const bytes = await readFile(file, { signal });
      upstream.requests += 1;
      upstream.bytes += bytes.length;
      const settled = Date.now() - stats.mtimeMs > SETTLED_AFTER_MS;
      return { bytes, revision: `${settled ? stampOf(stats) : ''}:${sha256(bytes)}` };
    } catch (error) {
      if (error instanceof SynclineError || signal.aborted) throw error;
      throw this.#unreadable(error);
    }
  }

  #unreadable(cause: unknown): SynclineError {
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

function stampOf({ size, mtimeMs, ctimeMs }: Stats): string {
  return `${size}-${mtimeMs}-${ctimeMs}`;
}
