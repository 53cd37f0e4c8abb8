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
import type { Probe, Source, SourceContext, TakeBody, WholeReading } from '../source.ts';

/** A server may answer with every ref whose name begins like the wanted one. */
const MAX_REFS_BYTES = 1024 * 1024;

export interface GitSourceOptions {
  /** The name of the registry. Each registry has its own clone. */
  readonly registry: string;
  readonly config: SourceBlocks['git'];
  readonly git: Git;
}

/** Reads a registry from a Git repository. The revision is the id of the commit. */
export class GitSource implements Source {
  readonly #git: Git;
  readonly #config: GitSourceOptions['config'];
  readonly #cloneKey: string;
  readonly #target: Target;
  readonly #repository: Repository;
  #fetchedCommit: string | undefined;
  #failedProbe: unknown;

  /** Creates the source. @throws SynclineError `config-invalid` if the repository is invalid */
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
      this.#failedProbe = error;
      throw error;
    }
  }

  async fetch(
    take: TakeBody,
    context: SourceContext,
  ): Promise<WholeReading & { revision: string }> {
    // If the last run failed, this run asks the upstream only once.
    if (this.#failedProbe !== undefined && context.status.consecutiveFailures > 0) {
      throw this.#failedProbe;
    }
    const commit = await this.#onRoute(context, (route) =>
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

  /** Asks the upstream for the commit of the configured ref, with one `git ls-remote`. */
  async #askForCommit(context: SourceContext): Promise<string> {
    const { signal, upstream, memory } = context;
    const { wanted, shown } = this.#target;
    const args = ['ls-remote', '--quiet', 'origin', wanted, `${wanted}^{}`];
    const limits = {
      signal,
      memory,
      timeoutMs: this.#config.timeout,
      maxOutputBytes: MAX_REFS_BYTES,
    };
    const output = await this.#onRoute(context, (route) => {
      upstream.requests += 1;
      return this.#git.ask(route, { args }, limits);
    });
    upstream.bytes += output.length;
    const commit = commitOf(output.toString(), this.#target);
    if (commit !== undefined) return commit;
    throw new SynclineError('source-ref-missing', `${this.#repository.shown} has no ${shown}`);
  }

  /**
   * Reads the configured files from the kept clone. If that clone is unusable, reads them from a
   * new clone.
   */
  async #readClone(visit: Visit): Promise<string> {
    const { clones } = this.#git;
    let attempt = firstAttempt(this.#target);
    for (;;) {
      const claimed = attempt.isFresh
        ? await clones.claimNew(this.#cloneKey)
        : await clones.claim(this.#cloneKey);
      try {
        const commit = await visitClone(visit, { claimed, attempt });
        await clones.keep(claimed);
        return commit;
      } catch (error) {
        if (isSound(error, claimed, visit)) await clones.keep(claimed);
        else await clones.discard(claimed);
        const next = nextAttempt(error, { attempt, claimed, visit });
        if (next === undefined) throw error;
        attempt = next;
      }
    }
  }

  /** Finds and checks the route to the repository, and adds explanations to failures of git. */
  async #onRoute<Result>(
    { credentials }: SourceContext,
    work: (route: Route) => Promise<Result>,
  ): Promise<Result> {
    const route = await findRoute(this.#repository, this.#config.auth, this.#git.routes);
    for (const credential of route.credentials) credentials.add(credential);
    try {
      return await work(route);
    } catch (error) {
      const { shown } = this.#repository;
      throw explainFailure(error, { shown, wanted: this.#target.shown, secrets: route.secrets });
    }
  }
}
