import { join, resolve } from 'node:path';
import { type SourceBlocks, SynclineError } from '@syncline/contract';
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

export interface GitOptions {
  /** The process's directory for files. Its folder `git` has the clones. */
  readonly dataDir: string;
  readonly guard: ConnectionGuard;
  /** The `PATH` of the process. */
  readonly searchPath?: string | undefined;
  /** Returns the proxy for a target of `http:` or `https:`. Default: no proxies. */
  readonly proxyFor?: (target: URL) => string | undefined;
  /** Called for each command, because the config may change. */
  readonly userAgent?: () => string | undefined;
  /** Returns the trusted authorities, in PEM. Default: those of this process. */
  readonly certificates?: () => readonly string[];
  readonly limits?: Partial<RepositoryLimits>;
  /** Default: no host has a budget. */
  readonly budgets?: RequestBudgets | undefined;
}

const DEFAULT_SEARCH_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** The settings of every command. They override any config. */
const SETTINGS = [
  'core.hooksPath=/dev/null',
  'core.fsmonitor=false',
  'gc.auto=0',
  'maintenance.auto=false',
  'submodule.recurse=false',
  'transfer.bundleURI=false',
  'protocol.version=2',
  // A fetch stays one pack file, whose size is the number of received bytes.
  'fetch.unpackLimit=1',
  // Git streams larger blobs and does not load them into memory.
  'core.bigFileThreshold=4m',
  // Ends the connection to a silent server, even if the worker has died.
  'http.lowSpeedLimit=1',
  'http.lowSpeedTime=120',
].flatMap((setting) => ['-c', setting]);

/** The git program. It has the clones: create one per process. */
export class Git {
  readonly limits: RepositoryLimits;
  readonly clones: CloneCache;
  readonly routes: RouteOptions;
  readonly #root: string;
  readonly #env: Readonly<Record<string, string>>;
  readonly #userAgent: (() => string | undefined) | undefined;
  readonly #budgets: RequestBudgets | undefined;
  #version: string | undefined;

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
      canPinAddresses: () => this.#canPinAddresses(),
    };
  }

  /** Runs git to its end. @throws GitFailure, SynclineError, the signal's reason */
  run(command: Partial<GitCommand>, limits: GitLimits): Promise<Buffer> {
    return runGit(this.#complete(command), limits);
  }

  /** Runs git on an upstream, by its route and within the budget of its host. */
  async ask(
    route: Route,
    command: Partial<GitCommand>,
    limits: GitLimits & { readonly timeoutMs: number },
  ): Promise<Buffer> {
    const { signal, timeoutMs: holdMs } = limits;
    const { host, config, credential } = route;
    using _place = host === undefined ? null : await this.#budgets?.take(host, { signal, holdMs });
    const args = [...config, ...(command.args ?? [])];
    const env = { ...route.env, ...command.env };
    return await this.run({ ...command, args, env, credential }, limits);
  }

  /** Starts git for an exchange on its standard streams. */
  start(command: Partial<GitCommand>, limits: GitLimits): GitProcess {
    return new GitProcess(this.#complete(command), limits);
  }

  #complete({ args = [], env = {}, ...rest }: Partial<GitCommand>): GitCommand {
    const userAgent = this.#userAgent?.();
    return {
      ...rest,
      args: [...SETTINGS, ...args],
      env: {
        ...this.#env,
        // A command without a repository must not find one by itself.
        GIT_DIR: join(this.#root, 'none'),
        // Some servers serve git only to clients that call themselves so.
        ...(userAgent === undefined ? {} : { GIT_HTTP_USER_AGENT: `git/2 (${userAgent})` }),
        ...env,
      },
    };
  }

  /** Returns whether this git accepts the addresses of a host, as it does from 2.37 on. */
  async #canPinAddresses(): Promise<boolean> {
    const limits = { signal: new AbortController().signal, timeoutMs: 10_000 };
    this.#version ??= (await this.run({ args: ['version'] }, limits)).toString();
    const [, major = 0, minor = 0] = (/(\d+)\.(\d+)/.exec(this.#version) ?? []).map(Number);
    return major > 2 || (major === 2 && minor >= 37);
  }
}

/** One way to read a repository. If it fails, another way may be left. */
export interface Attempt {
  /** Whether to use a new clone even if there is one. */
  readonly isFresh: boolean;
  readonly extent: Extent;
  readonly objectFormat: 'sha1' | 'sha256';
}

export function firstAttempt({ commit }: Target): Attempt {
  const objectFormat = commit?.length === 64 ? 'sha256' : 'sha1';
  return { isFresh: false, extent: 'without-files', objectFormat };
}

/** Returns the next way after an error; `undefined` if none is left. Each way is tried once. */
export function nextAttempt(
  error: unknown,
  { attempt, claimed, visit }: { attempt: Attempt; claimed: ClaimedClone; visit: Visit },
): Attempt | undefined {
  if (visit.context.signal.aborted || visit.taken > 0) return undefined;
  const fresh = { ...attempt, isFresh: true };
  if (hasOtherFormat(error) && attempt.objectFormat === 'sha1') {
    return { ...fresh, objectFormat: 'sha256' };
  }
  // A server that serves no files by their ids must serve all of them.
  if (refusesIds(error) && attempt.extent === 'without-files') return { ...fresh, extent: 'whole' };
  if (error instanceof WornClone) return fresh;
  // A kept clone may be damaged. A new one is as git made it.
  return !claimed.isNew && isUnexplained(error, claimed.directory) ? fresh : undefined;
}

/**
 * Returns whether a clone can be used again after an error. A killed git may have left it in any state. A git
 * that has ended by itself has cleaned up.
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
  /** A ref or the id of a commit, for `git fetch`. */
  readonly wanted: string;
  /** The id of a configured commit, which never changes. */
  readonly commit?: string;
  /** In words: `branch main`. */
  readonly shown: string;
}

export function targetOf({ branch, tag, commit }: SourceBlocks['git']): Target {
  if (commit !== undefined) return { wanted: commit, commit, shown: `commit ${commit}` };
  if (branch !== undefined) return { wanted: `refs/heads/${branch}`, shown: `branch ${branch}` };
  if (tag !== undefined) return { wanted: `refs/tags/${tag}`, shown: `tag ${tag}` };
  return { wanted: 'HEAD', shown: 'branch of its own: it is empty' };
}

/** Returns the commit of a ref from the output of `git ls-remote`; for an annotated tag, the tagged commit. */
export function commitOf(output: string, { wanted }: Target): string | undefined {
  const ids = new Map(
    output.split('\n').map((line) => {
      const [id = '', ref = ''] = line.split('\t');
      return [ref, id] as const;
    }),
  );
  return ids.get(`${wanted}^{}`) ?? ids.get(wanted);
}
