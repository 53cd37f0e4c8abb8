import { SynclineError } from '@syncline/contract';
import { GitFailure, type GitProcess } from '../process/git-process.ts';
import type { Clone, RepositoryLimits } from './clone.ts';
import type { TreeReader } from './select-files.ts';

/** What an entry of a tree is, as far as it matters here. */
export type EntryKind = 'file' | 'folder' | 'link' | 'submodule';

export interface TreeEntry {
  readonly name: string;
  readonly kind: EntryKind;
  readonly id: string;
}

const SPACE = 0x20;
const KINDS: Readonly<Record<string, EntryKind>> = {
  '40000': 'folder',
  '040000': 'folder',
  '120000': 'link',
  '160000': 'submodule',
};

/**
 * Reads a tree as git stores it: `<mode> <name>\0<id>`, again and again.
 *
 * @param idBytes how long ids are: 20 bytes, or 32
 */
function parseTree(tree: Uint8Array, idBytes: number): TreeEntry[] {
  const bytes = Buffer.from(tree.buffer, tree.byteOffset, tree.byteLength);
  const entries: TreeEntry[] = [];
  let at = 0;
  while (at < bytes.length) {
    const space = bytes.indexOf(SPACE, at);
    const end = bytes.indexOf(0, space);
    if (space < 0 || end < 0 || end + idBytes >= bytes.length + 1) break;
    entries.push({
      name: bytes.toString('utf8', space + 1, end),
      kind: KINDS[bytes.toString('latin1', at, space)] ?? 'file',
      id: bytes.toString('hex', end + 1, end + 1 + idBytes),
    });
    at = end + 1 + idBytes;
  }
  return entries;
}

/** A folder of some 300,000 entries. */
export const MAX_TREE_BYTES = 16 * 1024 * 1024;
/** No path is longer. */
const MAX_LINK_BYTES = 4_096;

export interface CloneTreeOptions {
  readonly clone: Clone;
  readonly reader: ObjectReader;
  readonly limits: RepositoryLimits;
  readonly rootId: string;
}

/** The folders of one commit in a clone. */
export class CloneTree implements TreeReader {
  readonly rootId: string;
  readonly limits: RepositoryLimits;
  readonly #clone: Clone;
  readonly #reader: ObjectReader;
  readonly #trees = new Map<string, readonly TreeEntry[]>();
  readonly #links = new Map<string, string>();

  constructor({ clone, reader, limits, rootId }: CloneTreeOptions) {
    this.#clone = clone;
    this.#reader = reader;
    this.limits = limits;
    this.rootId = rootId;
  }

  async readTree(id: string): Promise<readonly TreeEntry[]> {
    const known = this.#trees.get(id);
    if (known !== undefined) return known;
    const tree = await this.#reader.read(id, MAX_TREE_BYTES);
    if (tree?.type !== 'tree') throw missingObject(id);
    const entries = parseTree(tree.bytes, id.length / 2);
    this.#trees.set(id, entries);
    return entries;
  }

  async readLinks(ids: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const missing = await this.#readKnownLinks(ids);
    if (missing.length > 0) {
      await this.#clone.fetchFiles(missing);
      const [lost] = await this.#readKnownLinks(missing);
      if (lost !== undefined) throw missingObject(lost);
    }
    return this.#links;
  }

  /** @returns those that the clone does not have yet */
  async #readKnownLinks(ids: readonly string[]): Promise<string[]> {
    const missing: string[] = [];
    for (const id of new Set(ids)) {
      if (this.#links.has(id)) continue;
      const link = await this.#reader.read(id, MAX_LINK_BYTES);
      if (link === undefined) missing.push(id);
      else this.#links.set(id, Buffer.from(link.bytes).toString());
    }
    return missing;
  }
}

export function missingObject(id: string): GitFailure {
  return new GitFailure('cat-file', { stderr: `object ${id} is missing`, exit: 'nothing' });
}

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
