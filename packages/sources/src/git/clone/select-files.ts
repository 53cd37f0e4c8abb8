import { SynclineError } from '@syncline/contract';
import type { BodyOrigin } from '@syncline/rows';
import { printable } from '../process/git-errors.ts';
import type { Clone, RepositoryLimits } from './clone.ts';
import { missingObject, type TreeEntry } from './clone-tree.ts';

/** A file that is part of a registry. */
export interface RegistryFile {
  readonly id: string;
  readonly origin: Required<BodyOrigin>;
}

/** What is asked of a clone while files are looked for. */
export interface TreeReader {
  readonly rootId: string;
  readonly limits: RepositoryLimits;
  readTree(id: string): Promise<readonly TreeEntry[]>;
  /** What links hold, by the ids of their blobs. */
  readLinks(ids: readonly string[]): Promise<ReadonlyMap<string, string>>;
}

/** A way from the root: each folder with the id of its tree. The last is where we are. */
type Way = readonly { readonly name: string; readonly id: string }[];

type Place =
  | { readonly kind: 'folder'; readonly way: Way }
  | { readonly kind: 'file'; readonly id: string };

const REGISTRY_FILE = /\.(json|ya?ml)$/i;

/**
 * Finds the files that a path names: the file, or all `.json`, `.yaml` and `.yml` files of a folder and
 * of those within it, sorted by their paths. What begins with a dot is left out. Links are followed
 * within the repository.
 *
 * @throws SynclineError `source-path-missing`, `source-path-refused`, `source-too-large`
 */
export async function selectFiles(reader: TreeReader, path: string): Promise<RegistryFile[]> {
  const search = new Search(reader);
  const place = await search.follow([{ name: '', id: reader.rootId }], path);
  if (place === undefined) throw missing(path);
  const shown = path.split('/').filter((segment) => !isHere(segment));
  if (place.kind === 'file') return [fileAt(shown, place.id)];
  await search.collect({ ...place, shown, above: [] });
  if (search.files.length === 0) {
    throw new SynclineError(
      'source-path-missing',
      `the folder ${printable(path)} has no registry`,
      {
        expected: 'a .json, .yaml or .yml file in it',
      },
    );
  }
  return search.files.sort((a, b) =>
    Buffer.compare(Buffer.from(a.origin.name), Buffer.from(b.origin.name)),
  );
}

interface FolderVisit {
  readonly way: Way;
  /** Its path, as the config and the links on the way have it. */
  readonly shown: readonly string[];
  /** The folders that it is in, by their ways. */
  readonly above: readonly string[];
}

class Search {
  readonly files: RegistryFile[] = [];
  readonly #reader: TreeReader;
  #entries = 0;

  constructor(reader: TreeReader) {
    this.#reader = reader;
  }

  /** Where a path leads, from a folder; `undefined` where there is nothing. */
  async follow(from: Way, path: string): Promise<Place | undefined> {
    let way = from;
    let links = 0;
    const ahead = path.split('/');
    for (let segment = ahead.shift(); segment !== undefined; segment = ahead.shift()) {
      if (isHere(segment)) continue;
      if (segment === '..') {
        way = parentOf(way, path);
        continue;
      }
      const entry = await this.#find(way, segment);
      switch (entry?.kind) {
        case undefined:
          return undefined;
        case 'submodule':
          throw isSubmodule(path);
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
    if (links > this.#reader.limits.maxLinks) throw tooManyLinks(path);
    const target = (await this.#reader.readLinks([id])).get(id) ?? '';
    if (target.startsWith('/')) throw leaves(path);
    return target.split('/');
  }

  /** Takes the files of a folder, and of those within it. */
  async collect({ way, shown, above }: FolderVisit): Promise<void> {
    const own = wayText(way);
    if (above.includes(own)) throw tooManyLinks(shown.join('/'));
    if (above.length > this.#reader.limits.maxDepth) throw tooDeep(this.#reader.limits.maxDepth);
    const entries = (await this.#list(way)).filter(({ name }) => !name.startsWith('.'));
    // All at once: each that is not there yet would be a call to the upstream by itself.
    await this.#reader.readLinks(entries.filter(({ kind }) => kind === 'link').map(({ id }) => id));
    for (const entry of entries) {
      const path = [...shown, entry.name];
      const place = await this.#placeOf(way, entry, path);
      if (place === undefined) continue;
      if (place.kind === 'folder') {
        await this.collect({ way: place.way, shown: path, above: [...above, own] });
      } else if (REGISTRY_FILE.test(entry.name)) {
        this.#add(fileAt(path, place.id));
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
        throw isSubmodule(path.join('/'));
      case 'link': {
        const place = await this.follow(way, entry.name);
        if (place === undefined && REGISTRY_FILE.test(entry.name)) throw missing(path.join('/'));
        return place;
      }
    }
  }

  #add(file: RegistryFile): void {
    this.files.push(file);
    const { maxFiles } = this.#reader.limits;
    if (this.files.length <= maxFiles) return;
    throw new SynclineError('source-too-large', 'the folder has too many files', {
      expected: `at most ${maxFiles}`,
    });
  }

  async #find(way: Way, name: string): Promise<TreeEntry | undefined> {
    return (await this.#reader.readTree(idOf(way))).find((entry) => entry.name === name);
  }

  async #list(way: Way): Promise<readonly TreeEntry[]> {
    const entries = await this.#reader.readTree(idOf(way));
    this.#entries += entries.length;
    const { maxEntries } = this.#reader.limits;
    if (this.#entries <= maxEntries) return entries;
    throw new SynclineError('source-too-large', 'the folder has too much in it', {
      expected: `at most ${maxEntries} files and folders`,
    });
  }
}

function idOf(way: Way): string {
  return way.at(-1)?.id ?? '';
}

function wayText(way: Way): string {
  return way.map(({ name }) => name).join('/');
}

function isHere(segment: string): boolean {
  return segment === '' || segment === '.';
}

function parentOf(way: Way, path: string): Way {
  if (way.length === 1) throw leaves(path);
  return way.slice(0, -1);
}

function fileAt(path: readonly string[], id: string): RegistryFile {
  const name = printable(path.join('/'));
  return { id, origin: { name, syntax: /\.ya?ml$/i.test(name) ? 'yaml' : 'json' } };
}

function missing(path: string): SynclineError {
  return new SynclineError('source-path-missing', `the repository has no ${printable(path)}`);
}

function refused(path: string, why: string): SynclineError {
  return new SynclineError('source-path-refused', `${printable(path)} ${why}`, {
    expected: 'files of the repository itself',
  });
}

function leaves(path: string): SynclineError {
  return refused(path, 'leads out of the repository');
}

function isSubmodule(path: string): SynclineError {
  return refused(path, 'is, or is in, a submodule');
}

function tooManyLinks(path: string): SynclineError {
  return refused(path, 'leads round in a circle, or through too many links');
}

function tooDeep(maxDepth: number): SynclineError {
  return new SynclineError('source-too-large', 'the folder goes too deep', {
    expected: `at most ${maxDepth} folders one in another`,
  });
}

/**
 * Sees to it that a clone has some files, and that they are not too large: what it does not have is
 * fetched, in one call.
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
      throw tooLarge(`${origin.name} has ${size} bytes`, limits.maxFileBytes);
    }
    total += size;
  }
  if (total > limits.maxTotalBytes) {
    throw tooLarge(`the files have ${total} bytes together`, limits.maxTotalBytes);
  }
}

function tooLarge(what: string, most: number): SynclineError {
  return new SynclineError('source-too-large', what, { expected: `at most ${most}` });
}
