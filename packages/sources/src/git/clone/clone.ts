import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { SynclineError } from '@syncline/contract';
import type { SourceContext } from '../../source.ts';
import type { Route } from '../access/route.ts';
import type { Git } from '../git.ts';
import { GitFailure } from '../process/git-process.ts';
import { ObjectReader } from './clone-tree.ts';

/** The limits of a repository. Tests use smaller ones. */
export interface RepositoryLimits {
  /** The largest size of a kept clone on disk. */
  readonly maxCloneBytes: number;
  readonly maxFileBytes: number;
  /** The largest total size of all files that one run reads. */
  readonly maxTotalBytes: number;
  readonly maxFiles: number;
  /** The largest number of files and folders that a search reads. */
  readonly maxEntries: number;
  /** The largest depth of folders below the configured folder. */
  readonly maxDepth: number;
  /** The largest number of links on one path. Linux has the same limit. */
  readonly maxLinks: number;
}

export const DEFAULT_LIMITS: RepositoryLimits = {
  maxCloneBytes: 1024 * 1024 * 1024,
  maxFileBytes: 256 * 1024 * 1024,
  maxTotalBytes: 512 * 1024 * 1024,
  maxFiles: 10_000,
  maxEntries: 100_000,
  maxDepth: 32,
  maxLinks: 40,
};

/** The ref in a clone that names the fetched commit. */
const HEAD = 'refs/syncline/head';
export const HEAD_COMMIT = `${HEAD}^{commit}`;
export const HEAD_TREE = `${HEAD}^{tree}`;
/** Each fetch adds a pack. A new clone replaces a clone with this many packs. */
const MAX_PACKS = 50;
/** Git treats this depth as unlimited, even in a shallow clone. */
const ALL_COMMITS = 2_147_483_647;
const LOCAL_TIMEOUT_MS = 60_000;

/** The objects that a fetch downloads: commits and folders only, or files too. */
export type Extent = 'without-files' | 'whole';

export interface CloneOptions {
  readonly git: Git;
  readonly directory: string;
  readonly route: Route;
  readonly context: Pick<SourceContext, 'signal' | 'upstream' | 'memory'>;
  readonly timeoutMs: number;
}

/** A bare clone of a repository. It never has a work tree, and nothing executes its content. */
export class Clone {
  readonly #options: CloneOptions;

  constructor(options: CloneOptions) {
    this.#options = options;
  }

  async create(objectFormat: 'sha1' | 'sha256'): Promise<void> {
    const args = ['init', '--quiet', '--bare', '--template=', `--object-format=${objectFormat}`];
    await this.#runLocally(['-c', 'init.defaultBranch=main', ...args]);
  }

  /** Returns whether the next fetch might exceed a limit, so that a new clone is better. */
  async isWorn(): Promise<boolean> {
    const packs = await this.#packSizes();
    return packs.length >= MAX_PACKS || sum(packs) > this.#options.git.limits.maxCloneBytes / 2;
  }

  /**
   * Fetches the newest commit of a ref, or a commit by its id. {@link HEAD_COMMIT} then names the commit.
   */
  async fetchHead(wanted: string, extent: Extent): Promise<void> {
    await this.#fetch(['--depth=1', 'origin', `+${wanted}:${HEAD}`], { extent });
  }

  /**
   * Fetches the history of all branches and tags. This is necessary if the server does not serve commits
   * by their ids.
   */
  async fetchHistory(extent: Extent): Promise<void> {
    const refs = ['+refs/heads/*:refs/syncline/heads/*', '+refs/tags/*:refs/syncline/tags/*'];
    await this.#fetch([`--depth=${ALL_COMMITS}`, 'origin', ...refs], { extent });
  }

  /** Sets the head to a commit. Returns whether the clone has that commit. */
  async moveHead(commit: string): Promise<boolean> {
    try {
      await this.#runLocally(['update-ref', HEAD, commit]);
      return true;
    } catch (error) {
      if (error instanceof GitFailure) return false;
      throw error;
    }
  }

  /** Fetches files by their ids. */
  async fetchFiles(ids: readonly string[]): Promise<void> {
    const input = ids.map((id) => `${id}\n`).join('');
    await this.#fetch(['--depth=1', '--stdin', 'origin'], { extent: 'without-files', input });
  }

  /** Returns the sizes of those given files that the clone contains. */
  async fileSizes(ids: readonly string[]): Promise<Map<string, number>> {
    const output = await this.#options.git.run(
      {
        args: ['cat-file', '--batch-check=%(objectname) %(objecttype) %(objectsize)'],
        env: this.#env(),
        input: ids.map((id) => `${id}\n`).join(''),
      },
      { ...this.#limits(), maxOutputBytes: 100 * ids.length + 1_024 },
    );
    const sizes = new Map<string, number>();
    for (const line of output.toString().split('\n')) {
      const [id = '', type, size] = line.split(' ');
      if (type === 'blob') sizes.set(id, Number(size));
    }
    return sizes;
  }

  /** Opens a reader of the clone. The caller must dispose of the reader. */
  async openReader(): Promise<ObjectReader> {
    const { git, context } = this.#options;
    // The reader has no timeout of its own, because its lifetime includes the waits for `take`.
    const { signal, memory } = context;
    const command = { args: ['cat-file', '--batch'], env: this.#env() };
    return new ObjectReader(await git.start(command, { signal, memory }), context);
  }

  async #fetch(
    args: readonly string[],
    { extent, input }: { extent: Extent; input?: string },
  ): Promise<void> {
    const { git, route, context } = this.#options;
    const { maxCloneBytes } = git.limits;
    const before = sum(await this.#packSizes());
    let known = before;
    context.upstream.requests += 1;
    try {
      await git.ask(
        route,
        {
          args: [
            ...(extent === 'whole' ? [] : PROMISOR.flatMap((setting) => ['-c', setting])),
            // Disables the negotiation with the server, because the files in the clone do not help to
            // fetch other files.
            ...(input === undefined ? [] : ['-c', 'fetch.negotiationAlgorithm=noop']),
            'fetch',
            ...FETCH_OPTIONS.split(' '),
            ...(extent === 'whole' ? [] : ['--filter=blob:none']),
            ...args,
          ],
          env: this.#env(),
          input,
        },
        {
          ...this.#limits(),
          watch: async () => {
            const bytes = sum(await this.#packSizes());
            context.memory.received(Math.max(0, bytes - known));
            known = bytes;
            if (bytes > maxCloneBytes) throw cloneTooLarge(maxCloneBytes);
          },
        },
      );
    } finally {
      const after = sum(await this.#packSizes());
      context.upstream.bytes += Math.max(0, after - before);
    }
    if (sum(await this.#packSizes()) > maxCloneBytes) throw cloneTooLarge(maxCloneBytes);
  }

  async #runLocally(args: readonly string[]): Promise<void> {
    const limits = { ...this.#limits(), timeoutMs: LOCAL_TIMEOUT_MS };
    await this.#options.git.run({ args, env: this.#env() }, limits);
  }

  #limits() {
    const { context, timeoutMs } = this.#options;
    return { signal: context.signal, memory: context.memory, timeoutMs };
  }

  #env() {
    return { GIT_DIR: this.#options.directory };
  }

  /** Returns the sizes of complete packs, and of packs that git is still receiving. */
  async #packSizes(): Promise<number[]> {
    const directory = join(this.#options.directory, 'objects', 'pack');
    const names = await readdir(directory).catch(() => []);
    const packs = names.filter((name) => name.endsWith('.pack') || name.startsWith('tmp_pack'));
    return Promise.all(
      packs.map((name) =>
        stat(join(directory, name)).then(
          ({ size }) => size,
          () => 0,
        ),
      ),
    );
  }
}

/**
 * These settings tell git that the server has the missing files. Only `git fetch` gets these settings, so
 * other git commands do not ask the server for files.
 */
const PROMISOR = ['remote.origin.promisor=true', 'remote.origin.partialclonefilter=blob:none'];

const FETCH_OPTIONS =
  '--quiet --no-tags --no-write-fetch-head --no-recurse-submodules --no-auto-maintenance --no-show-forced-updates';

/** Returns whether the error shows that a server serves only the commits that its refs name. */
export function refusesIds(error: unknown): boolean {
  return error instanceof GitFailure && /unadvertised object/.test(error.stderr);
}

/** Returns whether the error shows that a clone's ids and the server's ids have different lengths. */
export function hasOtherFormat(error: unknown): boolean {
  return error instanceof GitFailure && /mismatched algorithms/.test(error.stderr);
}

function sum(sizes: readonly number[]): number {
  return sizes.reduce((total, size) => total + size, 0);
}

function cloneTooLarge(maxBytes: number): SynclineError {
  const what = `the clone of the repository has more than ${maxBytes} bytes, which is the limit. Use a smaller repository`;
  return new SynclineError('source-too-large', what);
}
