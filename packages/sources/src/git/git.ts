import { join, resolve } from 'node:path';
import { type RegistryConfig, SynclineError } from '@syncline/contract';
import type { AddressGuard } from '../network/address-guard.ts';
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
  /** The process's directory for files; clones are kept in `git` there. */
  readonly dataDir: string;
  readonly guard: AddressGuard;
  /** Where programs are: the `PATH` of the process. */
  readonly searchPath?: string | undefined;
  /** The proxy for a target of `http:` or `https:`; none where unset. */
  readonly proxyFor?: (target: URL) => string | undefined;
  /** Asked for at each call, so that it follows the config. */
  readonly userAgent?: () => string | undefined;
  /** The authorities that servers' certificates may come from, in PEM; default: what this process trusts. */
  readonly certificates?: () => readonly string[];
  readonly limits?: Partial<RepositoryLimits>;
  /** Default: no host has one. */
  readonly budgets?: RequestBudgets;
}

const DEFAULT_SEARCH_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
/** The first git that can be told what a host resolves to. */
const PINS_SINCE = [2, 37] as const;

/** What every call is told, whatever any config says. */
const SETTINGS = [
  'core.hooksPath=/dev/null',
  'core.fsmonitor=false',
  'gc.auto=0',
  'maintenance.auto=false',
  'submodule.recurse=false',
  'transfer.bundleURI=false',
  'protocol.version=2',
  // What is fetched stays one file, whose size is what was received.
  'fetch.unpackLimit=1',
  // Larger blobs go through in pieces, so that none of them needs its size in memory.
  'core.bigFileThreshold=4m',
  // A server that goes silent is noticed, also when the worker is gone.
  'http.lowSpeedLimit=1',
  'http.lowSpeedTime=120',
].flatMap((setting) => ['-c', setting]);

/** The git program as sources use it. One a process: it has the clones that are kept. */
export class Git {
  readonly limits: RepositoryLimits;
  readonly clones: CloneCache;
  readonly routes: RouteOptions;
  readonly #root: string;
  readonly #env: Readonly<Record<string, string>>;
  readonly #userAgent: (() => string | undefined) | undefined;
  readonly #budgets: RequestBudgets | undefined;
  #version: Promise<readonly number[]> | undefined;

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
      pinsAddresses: async () => isAtLeast(await this.#readVersion(), PINS_SINCE),
    };
  }

  /** Runs git to its end. @throws GitFailure, SynclineError, the signal's reason */
  run(command: Partial<GitCommand>, limits: GitLimits): Promise<Buffer> {
    return runGit(this.#complete(command), limits);
  }

  /** Runs git on what lies elsewhere, by its route and within the budget of its host. */
  async ask(
    route: Route,
    command: Partial<GitCommand>,
    limits: GitLimits & { readonly timeoutMs: number },
  ): Promise<Buffer> {
    const { signal, timeoutMs: holdMs } = limits;
    const place =
      route.host === undefined
        ? undefined
        : await this.#budgets?.take(route.host, { signal, holdMs });
    try {
      const args = [...route.config, ...(command.args ?? [])];
      const { credential } = route;
      return await this.run(
        { ...command, args, env: { ...route.env, ...command.env }, credential },
        limits,
      );
    } finally {
      place?.release();
    }
  }

  /** Starts git, for whoever talks to it. */
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
        // Without a repository of its own a call must not find one anywhere.
        GIT_DIR: join(this.#root, 'none'),
        // Some servers answer git to nobody else.
        ...(userAgent === undefined ? {} : { GIT_HTTP_USER_AGENT: `git/2 (${userAgent})` }),
        ...env,
      },
    };
  }

  /** Asked for once in a process. */
  async #readVersion(): Promise<readonly number[]> {
    this.#version ??= this.run(
      { args: ['version'] },
      { signal: new AbortController().signal, timeoutMs: 10_000 },
    ).then((output) => parseVersion(output.toString()));
    try {
      return await this.#version;
    } catch (error) {
      this.#version = undefined;
      throw error;
    }
  }
}

function parseVersion(text: string): number[] {
  const [, major, minor] = /(\d+)\.(\d+)/.exec(text) ?? [];
  return [Number(major ?? 0), Number(minor ?? 0)];
}

function isAtLeast([major = 0, minor = 0]: readonly number[], least: readonly [number, number]) {
  return major > least[0] || (major === least[0] && minor >= least[1]);
}

/** A way to get a clone that has what is wanted; where it fails, another may be left. */
export interface Attempt {
  /** In a new clone, whatever is kept. */
  readonly isFresh: boolean;
  readonly extent: Extent;
  readonly objectFormat: 'sha1' | 'sha256';
}

export function firstAttempt({ commit }: Target): Attempt {
  const objectFormat = commit?.length === 64 ? 'sha256' : 'sha1';
  return { isFresh: false, extent: 'without-files', objectFormat };
}

/** What to try after an error; nothing where that would be in vain. Each way is tried once. */
export function nextAttempt(
  error: unknown,
  { attempt, claimed, visit }: { attempt: Attempt; claimed: ClaimedClone; visit: Visit },
): Attempt | undefined {
  if (visit.context.signal.aborted || visit.taken > 0) return undefined;
  const fresh = { ...attempt, isFresh: true };
  if (hasOtherFormat(error) && attempt.objectFormat === 'sha1') {
    return { ...fresh, objectFormat: 'sha256' };
  }
  // A server that gives no files by their ids has to give all of them.
  if (refusesIds(error) && attempt.extent === 'without-files') return { ...fresh, extent: 'whole' };
  if (error instanceof WornClone) return fresh;
  return isDamage(error, claimed) ? fresh : undefined;
}

/**
 * Whether an error says nothing against the clone: it can be used again. Git that was killed may have
 * left anything; git that has given up by itself has tidied up.
 */
export function isSound(error: unknown, { directory }: ClaimedClone, { context }: Visit): boolean {
  if (context.signal.aborted) return false;
  if (error instanceof GitFailure) return !isUnexplained(error, directory);
  return (
    error instanceof SynclineError &&
    (error.code === 'source-path-missing' || error.code === 'source-path-refused')
  );
}

/** A clone that was kept may be anything by now; one that has just been made is as git made it. */
function isDamage(error: unknown, { isNew, directory }: ClaimedClone): boolean {
  return !isNew && isUnexplained(error, directory);
}

/** What of a repository is followed. */
export interface Target {
  /** A ref, or a commit's id, as a fetch takes it. */
  readonly wanted: string;
  /** Where it is a commit, which never changes. */
  readonly commit?: string;
  /** In words: `branch main`. */
  readonly shown: string;
}

type GitConfig = NonNullable<RegistryConfig['git']>;

export function targetOf({ branch, tag, commit }: GitConfig): Target {
  if (commit !== undefined) return { wanted: commit, commit, shown: `commit ${commit}` };
  if (branch !== undefined) return { wanted: `refs/heads/${branch}`, shown: `branch ${branch}` };
  if (tag !== undefined) return { wanted: `refs/tags/${tag}`, shown: `tag ${tag}` };
  return { wanted: 'HEAD', shown: 'branch of its own: it is empty' };
}

/**
 * The commit that a ref stands for, from what `git ls-remote` says: of a tag with a message, the commit
 * that it is about.
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
