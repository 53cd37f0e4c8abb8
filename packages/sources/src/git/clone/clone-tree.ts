import { SynclineError } from '@syncline/contract';
import type { SourceContext } from '../../source.ts';
import { GitFailure, type GitProcess } from '../process/git-process.ts';
import type { Clone, RepositoryLimits } from './clone.ts';

export interface TreeEntry {
  readonly name: string;
  readonly kind: 'file' | 'folder' | 'link' | 'submodule';
  readonly id: string;
}

const SPACE = 0x20;
const KINDS: Readonly<Record<string, TreeEntry['kind']>> = {
  '40000': 'folder',
  '040000': 'folder',
  '120000': 'link',
  '160000': 'submodule',
};

/**
 * Parses a tree object as git stores it: a sequence of `<mode> <name>\0<id>`.
 *
 * @param idBytes the length of an id: 20 or 32 bytes
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

/** The maximum size of a tree object, enough for a folder of about 300,000 entries. */
export const MAX_TREE_BYTES = 16 * 1024 * 1024;
/** Parsed entries need more memory than the bytes of their tree. */
const ENTRY_RATIO = 4;
/** The length of the longest path on Linux. */
const MAX_LINK_BYTES = 4_096;

/** The folders of one commit in a clone. */
export class CloneTree {
  readonly rootId: string;
  readonly limits: RepositoryLimits;
  readonly #clone: Clone;
  readonly #reader: ObjectReader;
  readonly #trees = new Map<string, readonly TreeEntry[]>();
  readonly #links = new Map<string, string>();

  constructor(
    { rootId, limits }: { rootId: string; limits: RepositoryLimits },
    { clone, reader }: { clone: Clone; reader: ObjectReader },
  ) {
    this.rootId = rootId;
    this.limits = limits;
    this.#clone = clone;
    this.#reader = reader;
  }

  async readTree(id: string): Promise<readonly TreeEntry[]> {
    const known = this.#trees.get(id);
    if (known !== undefined) return known;
    using tree = await this.#reader.read(id, MAX_TREE_BYTES);
    if (tree?.type !== 'tree') throw missingObject(id);
    await this.#reader.retain(ENTRY_RATIO * tree.bytes.length);
    const entries = parseTree(tree.bytes, id.length / 2);
    this.#trees.set(id, entries);
    return entries;
  }

  /**
   * Returns the targets of links, keyed by the ids of their blobs. Fetches the blobs that the clone does not
   * have.
   */
  async readLinks(ids: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const missing = await this.#readKnownLinks(ids);
    if (missing.length > 0) {
      await this.#clone.fetchFiles(missing);
      const [lost] = await this.#readKnownLinks(missing);
      if (lost !== undefined) throw missingObject(lost);
    }
    return this.#links;
  }

  /** Reads the links that the clone has. Returns the ids that the clone does not have. */
  async #readKnownLinks(ids: readonly string[]): Promise<string[]> {
    const missing: string[] = [];
    for (const id of new Set(ids)) {
      if (this.#links.has(id)) continue;
      using link = await this.#reader.read(id, MAX_LINK_BYTES);
      if (link === undefined) missing.push(id);
      else this.#links.set(id, Buffer.from(link.bytes).toString());
    }
    return missing;
  }
}

export function missingObject(id: string): GitFailure {
  return new GitFailure('cat-file', { stderr: `object ${id} is missing`, exit: 'nothing' });
}

const NEWLINE = 0x0a;
const MAX_HEADER_BYTES = 4_096;

/** Reads objects of a clone one after another, with one `git cat-file --batch` process. */
export class ObjectReader implements AsyncDisposable {
  readonly #process: GitProcess;
  readonly #options: Pick<SourceContext, 'memory' | 'signal'>;
  readonly #chunks: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(process: GitProcess, options: Pick<SourceContext, 'memory' | 'signal'>) {
    this.#process = process;
    this.#options = options;
    if (process.child.stdout === null) throw new Error('expected the output of git');
    this.#chunks = process.child.stdout[Symbol.asyncIterator]();
  }

  /**
   * Reads one object; returns `undefined` if the clone does not have it. The caller must dispose of the object.
   *
   * @param name an object's id, or a revision without a newline
   * @throws SynclineError `source-too-large`; GitFailure if the clone is damaged
   */
  async read(name: string, maxBytes: number) {
    this.#process.child.stdin?.write(`${name}\n`);
    const header = await this.#readLine();
    const [id, type, size] = header.split(' ');
    if (size === undefined || id === undefined || type === undefined) return undefined;
    if (Number(size) > maxBytes) {
      const what = `a ${type} has ${size} bytes. The limit is ${maxBytes}`;
      throw new SynclineError('source-too-large', what);
    }
    const { memory, signal } = this.#options;
    const reservation = await memory.reserve(Number(size), { use: 'body', signal });
    try {
      const bytes = await this.#readBytes(Number(size));
      await this.#readBytes(1);
      return { id, type, bytes, [Symbol.dispose]: () => reservation[Symbol.dispose]() };
    } catch (error) {
      reservation[Symbol.dispose]();
      throw error;
    }
  }

  /** Reserves memory until the run ends. */
  async retain(bytes: number): Promise<void> {
    const { memory, signal } = this.#options;
    await memory.reserve(bytes, { use: 'body', signal });
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

  /** Returns bytes in a buffer that nothing else uses, so the buffer can be transferred to a thread. */
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
    // Git has ended early. `finish` throws an error with the reason.
    await this.#process.finish();
    throw this.#unexpected();
  }

  #unexpected(): GitFailure {
    return new GitFailure('cat-file', { stderr: '', exit: 'an answer that was not expected' });
  }
}
