import { GitFailure } from '../process/git-process.ts';
import type { Clone } from './clone.ts';
import type { RepositoryLimits } from './limits.ts';
import type { ObjectReader } from './object-reader.ts';
import type { TreeReader } from './select-files.ts';
import { parseTree, type TreeEntry } from './tree.ts';

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
