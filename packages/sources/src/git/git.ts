import { join, resolve } from 'node:path';
import { type SourceBlocks, SynclineError } from '@syncline/contract';
import type { CredentialDirs } from '../credentials/credential-dirs.ts';
import type { MemoryAccount } from '../memory/memory-account.ts';
import type { ConnectionGuard } from '../network/address-guard.ts';
import type { RequestBudgets } from '../network/request-budgets.ts';
import { CertificateBundle } from './access/access.ts';
import { baseEnv, type Route, type RouteOptions } from './access/route.ts';
import {
  DEFAULT_LIMITS,
  type Extent,
  hasOtherFormat,
  type RepositoryLimits,
  refusesIds,
} from './clone/clone.ts';
import { type ClaimedClone, CloneCache } from './clone/clone-cache.ts';
import { type Visit, WornClone } from './clone/visit-clone.ts';
import { isUnexplained } from './process/git-errors.ts';
import {
  type GitCommand,
  GitFailure,
  type GitLimits,
  GitProcess,
  runGit,
} from './process/git-process.ts';
import { isGitRecent, LEAST_GIT_VERSION } from './process/git-version.ts';

export interface GitOptions {
  /** The directory for the files of the process. Its subfolder `git` contains the clones. */
  readonly dataDir: string;
  readonly guard: ConnectionGuard;
  /** The `PATH` of the process. */
  readonly searchPath?: string | undefined;
  /** Returns the proxy for an `http:` or `https:` target. Default: no proxies. */
  readonly proxyFor?: (target: URL) => string | undefined;
  /** Returns the user agent. Called for each command, because the config may change. */
  readonly userAgent?: () => string | undefined;
  /**
   * Returns the trusted certificate authorities, in PEM. Default: the authorities that this process trusts.
   */
  readonly certificates?: () => readonly string[];
  readonly limits?: Partial<RepositoryLimits>;
  /** The request budgets. Default: no host has a budget. */
  readonly budgets?: RequestBudgets | undefined;
  readonly credentialDirs?: CredentialDirs;
}

const DEFAULT_SEARCH_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** The settings of every git command. They override all config files. */
const SETTINGS = [
  'core.hooksPath=/dev/null',
  'core.fsmonitor=false',
  'gc.auto=0',
  'maintenance.auto=false',
  'submodule.recurse=false',
  'transfer.bundleURI=false',
  'protocol.version=2',
  // Keeps each fetch as one pack file, so the size of the pack is the number of received bytes.
  'fetch.unpackLimit=1',
  // Git streams blobs above this size instead of loading them into memory.
  'core.bigFileThreshold=4m',
  // Git would use a thread for each core, and caches for large repositories.
  'pack.threads=1',
  'index.threads=1',
  'pack.windowMemory=16m',
  'pack.deltaCacheSize=8m',
  'core.packedGitWindowSize=1m',
  'core.packedGitLimit=16m',
  'core.deltaBaseCacheLimit=8m',
  // Closes the connection to a server that sends nothing, even if the worker has ended.
  'http.lowSpeedLimit=1',
  'http.lowSpeedTime=120',
].flatMap((setting) => ['-c', setting]);

/** The part of a run's memory that git may use, within limits. */
interface GitMemory {
  readonly of: 'mostBytes' | 'bytesBesideThread';
  readonly share: number;
  readonly least: number;
  readonly most: number;
}

const MIB = 1024 * 1024;
/** Git, its helper for the transport, and the program that unpacks the objects. They need 35 MB for a small repository. */
const UPSTREAM_BYTES: GitMemory = {
  of: 'mostBytes',
  share: 1 / 3,
  least: 48 * MIB,
  most: 256 * MIB,
};
/** Git alone, which needs 6 MB. It must fit beside the thread of the run, with a body and its rows. */
const LOCAL_BYTES: GitMemory = {
  of: 'bytesBesideThread',
  share: 1 / 4,
  least: 8 * MIB,
  most: 128 * MIB,
};

/** Reserves memory for git, and limits git to it. */
async function withMemory<Limits extends GitLimits>(
  limits: Limits,
  { of, share, least, most }: GitMemory,
): Promise<Limits & Disposable> {
  const { memory, signal } = limits;
  if (memory === undefined) return { ...limits, [Symbol.dispose]: () => {} };
  const maxMemoryBytes = Math.floor(Math.min(Math.max(memory[of] * share, least), most));
  const reservation = await memory.reserve(maxMemoryBytes, { use: 'git', signal });
  return { ...limits, maxMemoryBytes, [Symbol.dispose]: () => reservation[Symbol.dispose]() };
}

/** Runs the git program and manages its clones. Create one instance per process. */
export class Git {
  readonly limits: RepositoryLimits;
  readonly clones: CloneCache;
  readonly routes: RouteOptions;
  readonly #root: string;
  readonly #env: Readonly<Record<string, string>>;
  readonly #userAgent: (() => string | undefined) | undefined;
  readonly #budgets: RequestBudgets | undefined;
  #isRecent = false;

  constructor({ dataDir, guard, searchPath, proxyFor, certificates, ...options }: GitOptions) {
    this.#root = resolve(dataDir, 'git');
    this.#env = baseEnv({ root: this.#root, searchPath: searchPath || DEFAULT_SEARCH_PATH });
    this.#userAgent = options.userAgent;
    this.#budgets = options.budgets;
    this.limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.clones = new CloneCache(join(this.#root, 'clones'));
    this.routes = {
      guard,
      proxyFor: proxyFor ?? (() => undefined),
      certificates: new CertificateBundle(this.#root, certificates),
      credentialDirs: options.credentialDirs,
      requireRecentGit: () => this.#requireRecentGit(),
    };
  }

  /** Runs git until it exits. @throws GitFailure, SynclineError, the signal's reason */
  run(command: Partial<GitCommand>, limits: GitLimits): Promise<Buffer> {
    return this.#run(command, limits, LOCAL_BYTES);
  }

  async #run(command: Partial<GitCommand>, limits: GitLimits, bytes: GitMemory): Promise<Buffer> {
    using limited = await withMemory(limits, bytes);
    return await runGit(this.#complete(command), limited);
  }

  /**
   * Runs a git command that contacts an upstream, with the settings of its route and within the budget of its
   * host.
   */
  async ask(
    route: Route,
    command: Partial<GitCommand>,
    limits: GitLimits & { readonly timeoutMs: number; readonly memory: MemoryAccount },
  ): Promise<Buffer> {
    const { signal, timeoutMs: holdMs, memory } = limits;
    const { host, config, credential } = route;
    const args = [...config, ...(command.args ?? [])];
    const env = { ...route.env, ...command.env };
    // The memory comes first: others may need the place of the budget while this run waits for memory.
    using limited = await withMemory(limits, UPSTREAM_BYTES);
    using _place = host === undefined ? null : await this.#budgets?.take(host, { signal, holdMs });
    const complete = this.#complete({ ...command, args, env, credential });
    return await memory.receive(() => runGit(complete, limited));
  }

  /** Starts git, to exchange data over its standard streams. The memory is reserved until git has ended. */
  async start(command: Partial<GitCommand>, limits: GitLimits): Promise<GitProcess> {
    const limited = await withMemory(limits, LOCAL_BYTES);
    const release = () => limited[Symbol.dispose]();
    try {
      const process = new GitProcess(this.#complete(command), limited);
      process.child.once('close', release);
      process.child.once('error', release);
      return process;
    } catch (error) {
      release();
      throw error;
    }
  }

  #complete({ args = [], env = {}, ...rest }: Partial<GitCommand>): GitCommand {
    const userAgent = this.#userAgent?.();
    return {
      ...rest,
      args: [...SETTINGS, ...args],
      env: {
        ...this.#env,
        // Without this variable, a command without a repository could find one by itself.
        GIT_DIR: join(this.#root, 'none'),
        // Some servers serve git only to clients whose user agent starts with `git/`.
        ...(userAgent === undefined ? {} : { GIT_HTTP_USER_AGENT: `git/2 (${userAgent})` }),
        ...env,
      },
    };
  }

  /** @throws SynclineError `source-git-failed` if git is missing or too old */
  async #requireRecentGit(): Promise<void> {
    if (this.#isRecent) return;
    const limits = { signal: new AbortController().signal, timeoutMs: 10_000 };
    const version = (await this.run({ args: ['version'] }, limits)).toString().trim();
    this.#isRecent = isGitRecent(version);
    if (this.#isRecent) return;
    const what = `${version} is too old and has known vulnerabilities. Install git ${LEAST_GIT_VERSION} or newer on every machine with a worker`;
    throw new SynclineError('source-git-failed', what);
  }
}

/** One way to read a repository. If it fails, `nextAttempt` may return another way. */
export interface Attempt {
  /** Whether to use a new clone even if a kept clone exists. */
  readonly isFresh: boolean;
  readonly extent: Extent;
  readonly objectFormat: 'sha1' | 'sha256';
}

export function firstAttempt({ commit }: Target): Attempt {
  const objectFormat = commit?.length === 64 ? 'sha256' : 'sha1';
  return { isFresh: false, extent: 'without-files', objectFormat };
}

/**
 * Returns the next way to try after an error, or `undefined` if no way is left. Tries each way at most once.
 */
export function nextAttempt(
  error: unknown,
  { attempt, claimed, visit }: { attempt: Attempt; claimed: ClaimedClone; visit: Visit },
): Attempt | undefined {
  if (visit.context.signal.aborted || visit.taken > 0) return undefined;
  const fresh = { ...attempt, isFresh: true };
  if (hasOtherFormat(error) && attempt.objectFormat === 'sha1') {
    return { ...fresh, objectFormat: 'sha256' };
  }
  // If a server does not serve files by their ids, fetch all files together with the commit.
  if (refusesIds(error) && attempt.extent === 'without-files') return { ...fresh, extent: 'whole' };
  if (error instanceof WornClone) return fresh;
  // A kept clone may be damaged, so try a new clone.
  return !claimed.isNew && isUnexplained(error, claimed.directory) ? fresh : undefined;
}

/**
 * Returns whether a clone can be used again after an error. If git was killed, the clone may be in any state.
 * If git exited by itself, it has cleaned up.
 */
export function isSound(error: unknown, { directory }: ClaimedClone, { context }: Visit): boolean {
  if (context.signal.aborted) return false;
  if (error instanceof GitFailure) return !isUnexplained(error, directory);
  return (
    error instanceof SynclineError &&
    (error.code === 'source-path-missing' || error.code === 'source-path-refused')
  );
}

/** The branch, tag or commit that a registry follows. */
export interface Target {
  /** The argument for `git fetch`: a ref, or the id of a commit. */
  readonly wanted: string;
  /** The id of a configured commit. It never changes. */
  readonly commit?: string;
  /** The target in words, such as `branch main`. */
  readonly shown: string;
}

export function targetOf({ branch, tag, commit }: SourceBlocks['git']): Target {
  if (commit !== undefined) return { wanted: commit, commit, shown: `commit ${commit}` };
  if (branch !== undefined) return { wanted: `refs/heads/${branch}`, shown: `branch ${branch}` };
  if (tag !== undefined) return { wanted: `refs/tags/${tag}`, shown: `tag ${tag}` };
  return { wanted: 'HEAD', shown: 'branch of its own: it is empty' };
}

/**
 * Returns the commit of a ref from the output of `git ls-remote`. For an annotated tag, returns the tagged
 * commit.
 */
export function commitOf(output: string, { wanted }: Target): string | undefined {
  const ids = new Map(
    output.split('\n').map((line) => {
      const [id = '', ref = ''] = line.split('\t');
      return [ref, id] as const;
    }),
  );
  return ids.get(`${wanted}^{}`) ?? ids.get(wanted);
}
