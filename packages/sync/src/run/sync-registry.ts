/**
 * The main path of a run: admit → decide → perform → finish.
 *
 * A *registry* is an entry of the config, and its *source* is the upstream that the entry names. A *catalog* is a
 * registry whose source is other registries. A *tick* is an occasion to sync one registry: its schedule fires, someone
 * has requested a sync, a retry is due, or a registry of the catalog has changed. The *lease* of a registry is a lock
 * in the store, which expires unless its owner renews it. A *run* is a tick that has taken the lease, so a registry has
 * one run at a time.
 *
 * - `admit` takes the lease, or refuses the tick.
 * - `decide` finds out whether a sync is needed, and why.
 * - `perform` reads the source, and stores all its rows as a *snapshot*.
 * - `finish` writes the outcome into the status and the run log, serves a new snapshot, and releases the lease. It does
 *   so in one step. The store refuses this step if the run has lost its lease.
 *
 * `admit` refuses a tick for one of these reasons:
 *
 * - `unknown-registry`: the config does not name the registry.
 * - `no-op`: `admit` asked the source of a scheduled tick before it took the lease, and the source has not changed. The
 *   status shows the time of this check.
 * - `busy`: another run has the lease.
 * - `handled`: an earlier run has handled the request of this tick.
 * - `superseded`: a run succeeded shortly before this scheduled tick.
 * - `stopped`: the process is stopping.
 *
 * A refused tick is not a run and has no entry in the run log. A refusal loses no request, because the store counts
 * requests: the current run starts a run for an open request when it ends, and a sweep finds all others.
 *
 * A run ends with one of these outcomes:
 *
 * - `skipped`, by `decide`: the registry is suspended or pinned, or waits after a failure. A request ends
 *   this wait, unless the registry has crashed its process.
 * - `unchanged`: `decide` found that the source has not changed, or `perform` found that its state is already served.
 * - `published`, by `perform`: a new snapshot is stored, and `finish` serves it.
 * - `held`, by `perform`: the new snapshot has lost so many rows that `finish` does not serve it. It is served only if
 *   an operator approves it.
 * - `failed`: `decide` or `perform` threw an error, or the run took longer than the registry allows. A retry follows.
 *   After each further failure, the retry comes later.
 * - `interrupted`: the process is stopping, the lease was lost, or the registry was suspended, pinned or removed from
 *   the config. This is no failure of the registry. Its requests stay open, so another run follows. Every other outcome
 *   answers the requests that were open when the run started.
 *
 * The first reason to end a run early decides between `failed` and `interrupted`. If the work still succeeds, the run
 * ends as if there had been no such reason. But if the store refuses the write of `finish`, another run may have the
 * lease. The run then writes nothing, serves nothing, and counts as `interrupted`. A run has no outcome if its process
 * dies, or if the store is unreachable until the lease has ended. In these three cases, a sweep finds the ended lease
 * and starts another run, unless one has started.
 *
 * States, transitions and invariants: `packages/sync/SPEC.md`.
 */
import { SynclineError } from '@syncline/contract';
import type { SyncDecision } from '../perform/manager.ts';
import type { Tick, TickResult } from '../ports/tick-source.ts';
import { type AdmittedRun, admit } from './admit.ts';
import { finish } from './finish.ts';
import { isPoison, poisonError, type RunResult, resultOfError } from './outcome.ts';
import type { SyncDependencies } from './sync-dependencies.ts';

/**
 * Syncs the registry of a tick, unless the tick is refused. Returns the refusal, or the record of the run with its
 * follow-ups. Follow-ups are further ticks: of dependent catalogs, for a new request, and for a retry.
 *
 * @param stop aborted when the process stops, which ends the run
 * @throws only if the store is unreachable before the run starts, or until its lease has ended
 */
export async function syncRegistry(
  deps: SyncDependencies,
  tick: Tick,
  stop: AbortSignal,
): Promise<TickResult> {
  const admission = await admit(deps, tick, stop);
  if (admission.state !== 'admitted') return admission;
  const { run } = admission;
  const steps = async (): Promise<RunResult> => {
    const decision = await decide(deps, run);
    return decision.sync ? perform(deps, run, decision) : decision;
  };
  const result = await steps().catch((error: unknown) => resultOfError(run.context, error));
  return finish(deps, run, result);
}

/**
 * Decides whether a sync is needed, and why. `manager.shouldSync` applies the rules, and then asks the source whether
 * it has changed. If no sync is needed, the decision is the result of the run: `skipped` or `unchanged`.
 */
async function decide(
  { manager, capacity }: SyncDependencies,
  { context, checked }: AdmittedRun,
): Promise<SyncDecision> {
  // `signal` is aborted when the run must end: stop, timeout, operator, lost lease.
  const { registry, signal } = context;
  // The store may have granted the lease so late that the lease has already ended.
  signal.throwIfAborted();
  // Each of the last runs ended with the death of its process. This run fails, and the next attempt comes later.
  if (isPoison(context)) throw poisonError();
  // Hung work of an earlier run continues in this process. More hung work could take all threads.
  if (capacity.hungWork.has(registry.name)) {
    throw new SynclineError(
      'run-timeout',
      'an earlier run of the registry still hangs in this process',
    );
  }
  // `admit` has already asked `shouldSync` before it took the lease, and no other run has started since.
  if (checked !== undefined) return checked;
  return context.timePhase('decide', () =>
    capacity.hungWork.watch(registry.name, manager.shouldSync(context), signal),
  );
}

/**
 * Reads the source, and stores a snapshot unless it is already served. `finish` reads from `stored` whether the run is
 * `unchanged`, `published` or `held`.
 */
function perform(
  { manager, capacity }: SyncDependencies,
  { context }: AdmittedRun,
  decision: SyncDecision & { sync: true },
): Promise<RunResult> {
  const { registry, signal } = context;
  context.report(`syncing: ${decision.reason}`);
  const work = async (): Promise<RunResult> => {
    const stored = await manager.performSync(context, decision);
    return { outcome: 'performed', reason: decision.reason, stored };
  };
  // Waits for the work, but only a short time after the signal is aborted.
  return capacity.hungWork
    .watch(registry.name, work(), signal)
    .catch((error: unknown) => resultOfError(context, error, decision.reason));
}
