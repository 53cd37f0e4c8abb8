import { SynclineError } from '@syncline/contract';
import { GitFailure, type GitProcess } from '../process/git-process.ts';

export interface GitObject {
  readonly id: string;
  readonly type: string;
  readonly bytes: Uint8Array;
}

const NEWLINE = 0x0a;
const MAX_HEADER_BYTES = 4_096;

/** Reads objects of a clone, one after the other, through one `git cat-file --batch`. */
export class ObjectReader implements AsyncDisposable {
  readonly #process: GitProcess;
  readonly #chunks: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(process: GitProcess) {
    this.#process = process;
    if (process.child.stdout === null) throw new Error('expected the output of git');
    this.#chunks = process.child.stdout[Symbol.asyncIterator]();
  }

  /**
   * @param name an object's id, or a revision without a newline
   * @returns nothing where the clone does not have it
   * @throws SynclineError `source-too-large`; GitFailure where the clone is damaged
   */
  async read(name: string, maxBytes: number): Promise<GitObject | undefined> {
    this.#process.child.stdin?.write(`${name}\n`);
    const header = await this.#readLine();
    const [id, type, size] = header.split(' ');
    if (size === undefined || id === undefined || type === undefined) return undefined;
    if (Number(size) > maxBytes) {
      throw new SynclineError('source-too-large', `a ${type} has ${size} bytes`, {
        expected: `at most ${maxBytes}`,
      });
    }
    const bytes = await this.#readBytes(Number(size));
    await this.#readBytes(1);
    return { id, type, bytes };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process.end();
  }

  async #readLine(): Promise<string> {
    let end = this.#rest.indexOf(NEWLINE);
    while (end < 0) {
      if (this.#rest.length > MAX_HEADER_BYTES) throw this.#unexpected();
      this.#rest = Buffer.concat([this.#rest, await this.#nextChunk()]);
      end = this.#rest.indexOf(NEWLINE);
    }
    const line = this.#rest.toString('utf8', 0, end);
    this.#rest = this.#rest.subarray(end + 1);
    return line;
  }

  /** In memory of their own, so that they can be given away. */
  async #readBytes(size: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(size);
    let filled = 0;
    while (filled < size) {
      if (this.#rest.length === 0) this.#rest = await this.#nextChunk();
      const part = this.#rest.subarray(0, size - filled);
      bytes.set(part, filled);
      filled += part.length;
      this.#rest = this.#rest.subarray(part.length);
    }
    return bytes;
  }

  async #nextChunk(): Promise<Buffer> {
    const { value, done } = await this.#chunks
      .next()
      .catch(() => ({ value: undefined, done: true }));
    if (done !== true && value !== undefined) return value;
    // It ended before it was told to: it says why, or was stopped.
    await this.#process.finish();
    throw this.#unexpected();
  }

  #unexpected(): GitFailure {
    return new GitFailure('cat-file', { stderr: '', exit: 'an answer that was not expected' });
  }
}
