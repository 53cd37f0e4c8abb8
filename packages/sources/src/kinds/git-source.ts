import { type SourceBlocks, SynclineError } from '@syncline/contract';
import { parseRepository, type Repository } from '../git/access/repository.ts';
import { findRoute, type Route } from '../git/access/route.ts';
import { type Visit, visitClone } from '../git/clone/visit-clone.ts';
import {
  commitOf,
  firstAttempt,
  type Git,
  isSound,
  nextAttempt,
  type Target,
  targetOf,
} from '../git/git.ts';
import { explainFailure } from '../git/process/git-errors.ts';
import type {
  Probe,
  Source,
  SourceContext,
  SourceTools,
  TakeBody,
  WholeReading,
} from '../source.ts';

export interface GitSourceOptions {
  /** The registry's name: registries share no clone. */
  readonly registry: string;
  readonly config: SourceBlocks['git'];
  readonly git: Git;
}

export function openGit(
  config: SourceBlocks['git'],
  { registry, tools: { git } }: { registry: string; tools: SourceTools },
): Source {
  if (git === undefined) {
    throw new SynclineError('config-invalid', `registry ${registry} is in a Git repository`, {
      expected: 'a process that has git',
    });
  }
  return new GitSource({ registry, config, git });
}

/** A registry in a Git repository. Its revision is the commit's id. */
export class GitSource implements Source {
  readonly #git: Git;
  readonly #config: GitSourceOptions['config'];
  readonly #cloneKey: string;
  readonly #target: Target;
  readonly #repository: Repository;
  #fetchedCommit: string | undefined;
  #failedCheck: unknown;

  /** @throws SynclineError `config-invalid` where the repository cannot be read as one */
  constructor({ registry, config, git }: GitSourceOptions) {
    this.#git = git;
    this.#config = config;
    this.#cloneKey = JSON.stringify([registry, config.repository]);
    this.#target = targetOf(config);
    this.#repository = parseRepository(config.repository);
  }

  async probe(known: string, context: SourceContext): Promise<Probe> {
    try {
      const commit = this.#target.commit ?? (await this.#askForCommit(context));
      return { state: commit === known ? 'unchanged' : 'changed' };
    } catch (error) {
      this.#failedCheck = error;
      throw error;
    }
  }

  async fetch(
    take: TakeBody,
    context: SourceContext,
  ): Promise<WholeReading & { revision: string }> {
    // An upstream that fails already is asked once an attempt, not twice.
    if (this.#failedCheck !== undefined && context.status.consecutiveFailures > 0) {
      throw this.#failedCheck;
    }
    const route = await this.#findRoute();
    const commit = await this.#explained(route, () =>
      this.#readClone({
        git: this.#git,
        path: this.#config.path,
        timeoutMs: this.#config.timeout,
        target: this.#target,
        shown: this.#repository.shown,
        knownCommit: this.#target.commit ?? this.#fetchedCommit,
        route,
        take,
        context,
        taken: 0,
      }),
    );
    this.#fetchedCommit = commit;
    return { kind: 'whole', revision: this.#target.commit ?? commit };
  }

  /** One `git ls-remote` of one ref. */
  async #askForCommit({ signal, upstream }: SourceContext): Promise<string> {
    const route = await this.#findRoute();
    const { wanted, shown } = this.#target;
    upstream.requests += 1;
    const output = await this.#explained(route, () =>
      this.#git.ask(
        route,
        { args: ['ls-remote', '--quiet', 'origin', wanted, `${wanted}^{}`] },
        { signal, timeoutMs: this.#config.timeout },
      ),
    );
    upstream.bytes += output.length;
    const commit = commitOf(output.toString(), this.#target);
    if (commit !== undefined) return commit;
    throw new SynclineError('source-ref-missing', `${this.#repository.shown} has no ${shown}`);
  }

  /** Reads what is wanted from the clone that is kept; where that is of no use, from a new one. */
  async #readClone(visit: Visit): Promise<string> {
    const { clones } = this.#git;
    let attempt = firstAttempt(this.#target);
    for (;;) {
      const claimed = attempt.isFresh
        ? await clones.claimNew(this.#cloneKey)
        : await clones.claim(this.#cloneKey);
      try {
        const commit = await visitClone(visit, { claimed, attempt });
        await clones.giveBack(claimed);
        return commit;
      } catch (error) {
        if (isSound(error, claimed, visit)) await clones.giveBack(claimed);
        else await clones.discard(claimed);
        const next = nextAttempt(error, { attempt, claimed, visit });
        if (next === undefined) throw error;
        attempt = next;
      }
    }
  }

  #findRoute(): Promise<Route> {
    return findRoute(this.#repository, this.#config.auth, this.#git.routes);
  }

  async #explained<Result>(route: Route, work: () => Promise<Result>): Promise<Result> {
    try {
      return await work();
    } catch (error) {
      const { shown } = this.#repository;
      const { secrets } = route;
      throw explainFailure(error, { shown, wanted: this.#target.shown, secrets });
    }
  }
}
