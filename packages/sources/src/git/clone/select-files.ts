import { SynclineError } from '@syncline/contract';
import type { BodyOrigin } from '@syncline/rows';
import { printable } from '../process/git-errors.ts';
import type { Clone, RepositoryLimits } from './clone.ts';
import { type CloneTree, missingObject, type TreeEntry } from './clone-tree.ts';

/** A file that is part of a registry. */
export interface RegistryFile {
  readonly id: string;
  readonly origin: Required<BodyOrigin>;
}

/** The folders from the root to the current folder, each with the id of its tree. */
type Way = readonly Pick<TreeEntry, 'name' | 'id'>[];

type Place =
  | { readonly kind: 'folder'; readonly way: Way }
  | { readonly kind: 'file'; readonly id: string };

const REGISTRY_FILE = /\.(json|ya?ml)$/i;

/**
 * Finds the files of a path: the file itself, or all `.json`, `.yaml` and `.yml` files below a folder, sorted
 * by path. Skips names that begin with a dot. Follows links within the repository.
 *
 * @throws SynclineError `source-path-missing`, `source-path-refused`, `source-too-large`
 */
export async function selectFiles(tree: CloneTree, path: string): Promise<RegistryFile[]> {
  const search = new Search(tree);
  const place = await search.follow([{ name: '', id: tree.rootId }], path);
  if (place === undefined) throw missing(path);
  const shown = path.split('/').filter((segment) => !isHere(segment));
  if (place.kind === 'file') return [fileAt(shown, place.id)];
  await search.collect({ ...place, shown, above: [] });
  if (search.files.length === 0) {
    const what = `the folder ${printable(path)} has no registry file. Add a .json, .yaml or .yml file to the folder`;
    throw new SynclineError('source-path-missing', what);
  }
  return search.files.sort((a, b) =>
    Buffer.compare(Buffer.from(a.origin.name), Buffer.from(b.origin.name)),
  );
}

interface FolderVisit {
  readonly way: Way;
  /**
   * The folder's path for messages: the configured path, followed by the names of entries and links below it.
   */
  readonly shown: readonly string[];
  /** The paths of the folders that contain this folder. */
  readonly above: readonly string[];
}

class Search {
  readonly files: RegistryFile[] = [];
  readonly #tree: CloneTree;
  #entries = 0;

  constructor(tree: CloneTree) {
    this.#tree = tree;
  }

  /**
   * Returns the file or folder that a path leads to, starting from a folder. Returns `undefined` if neither
   * exists.
   */
  async follow(from: Way, path: string): Promise<Place | undefined> {
    let way = from;
    let links = 0;
    const ahead = path.split('/');
    for (let segment = ahead.shift(); segment !== undefined; segment = ahead.shift()) {
      if (isHere(segment)) continue;
      if (segment === '..') {
        if (way.length === 1) throw refused(path, 'leads out of the repository');
        way = way.slice(0, -1);
        continue;
      }
      const entries = await this.#tree.readTree(idOf(way));
      const entry = entries.find(({ name }) => name === segment);
      switch (entry?.kind) {
        case undefined:
          return undefined;
        case 'submodule':
          throw refused(path, IN_SUBMODULE);
        case 'file':
          return ahead.every(isHere) ? { kind: 'file', id: entry.id } : undefined;
        case 'folder':
          way = [...way, entry];
          break;
        case 'link':
          links += 1;
          ahead.unshift(...(await this.#targetOf(entry, { path, links })));
      }
    }
    return { kind: 'folder', way };
  }

  async #targetOf({ id }: TreeEntry, { path, links }: { path: string; links: number }) {
    if (links > this.#tree.limits.maxLinks) throw refused(path, TOO_MANY_LINKS);
    const target = (await this.#tree.readLinks([id])).get(id) ?? '';
    if (target.startsWith('/')) throw refused(path, 'leads out of the repository');
    return target.split('/');
  }

  /** Adds the files of a folder and of all folders below it. */
  async collect({ way, shown, above }: FolderVisit): Promise<void> {
    const own = way.map(({ name }) => name).join('/');
    if (above.includes(own)) throw refused(shown.join('/'), TOO_MANY_LINKS);
    const { maxDepth } = this.#tree.limits;
    if (above.length > maxDepth) throw tooLarge(`the folder has more than ${maxDepth} levels`);
    const entries = (await this.#list(way)).filter(({ name }) => !name.startsWith('.'));
    // Reads all links together, so that one request to the upstream fetches the missing blobs.
    await this.#tree.readLinks(entries.filter(({ kind }) => kind === 'link').map(({ id }) => id));
    for (const entry of entries) {
      const path = [...shown, entry.name];
      const place = await this.#placeOf(way, entry, path);
      if (place === undefined) continue;
      if (place.kind === 'folder') {
        await this.collect({ way: place.way, shown: path, above: [...above, own] });
      } else if (REGISTRY_FILE.test(entry.name)) {
        this.files.push(fileAt(path, place.id));
        const { maxFiles } = this.#tree.limits;
        if (this.files.length > maxFiles)
          throw tooLarge(`the folder has more than ${maxFiles} files`);
      }
    }
  }

  async #placeOf(way: Way, entry: TreeEntry, path: readonly string[]): Promise<Place | undefined> {
    switch (entry.kind) {
      case 'file':
        return { kind: 'file', id: entry.id };
      case 'folder':
        return { kind: 'folder', way: [...way, entry] };
      case 'submodule':
        throw refused(path.join('/'), IN_SUBMODULE);
      case 'link': {
        const place = await this.follow(way, entry.name);
        if (place === undefined && REGISTRY_FILE.test(entry.name)) throw missing(path.join('/'));
        return place;
      }
    }
  }

  async #list(way: Way): Promise<readonly TreeEntry[]> {
    const entries = await this.#tree.readTree(idOf(way));
    this.#entries += entries.length;
    const { maxEntries } = this.#tree.limits;
    if (this.#entries <= maxEntries) return entries;
    throw tooLarge(`the folder has more than ${maxEntries} files and folders`);
  }
}

function idOf(way: Way): string {
  return way.at(-1)?.id ?? '';
}

function isHere(segment: string): boolean {
  return segment === '' || segment === '.';
}

function fileAt(path: readonly string[], id: string): RegistryFile {
  const name = printable(path.join('/'));
  return { id, origin: { name, syntax: /\.ya?ml$/i.test(name) ? 'yaml' : 'json' } };
}

function missing(path: string): SynclineError {
  return new SynclineError('source-path-missing', `the repository has no ${printable(path)}`);
}

const IN_SUBMODULE = 'is a submodule or is inside a submodule';
const TOO_MANY_LINKS = 'is a circular link, or leads through too many links';

function refused(path: string, why: string): SynclineError {
  const what = `${printable(path)} ${why}. Set git.path to a regular file or folder of the repository`;
  return new SynclineError('source-path-refused', what);
}

function tooLarge(what: string): SynclineError {
  return new SynclineError('source-too-large', what);
}

/**
 * Fetches the missing files of a clone in one request, and checks the size of every selected file.
 *
 * @throws SynclineError `source-too-large`; GitFailure
 */
export async function getFiles(
  files: readonly RegistryFile[],
  { clone, limits }: { clone: Clone; limits: RepositoryLimits },
): Promise<void> {
  const ids = [...new Set(files.map(({ id }) => id))];
  let sizes = await clone.fileSizes(ids);
  const missing = ids.filter((id) => !sizes.has(id));
  if (missing.length > 0) {
    await clone.fetchFiles(missing);
    sizes = await clone.fileSizes(ids);
  }
  let total = 0;
  for (const { id, origin } of files) {
    const size = sizes.get(id);
    if (size === undefined) throw missingObject(id);
    if (size > limits.maxFileBytes) {
      throw tooLarge(`${origin.name} has ${size} bytes. The limit is ${limits.maxFileBytes}`);
    }
    total += size;
  }
  if (total > limits.maxTotalBytes) {
    throw tooLarge(`the files have ${total} bytes in total. The limit is ${limits.maxTotalBytes}`);
  }
}
