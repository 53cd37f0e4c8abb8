/**
 * The story of a run: admit → decide → perform → finish.
 *
 * A *registry* is an entry of the config, and its *source* is the upstream that it names. A *tick* is an occasion to sync
 * one registry: its schedule fires, somebody has requested a sync, or a retry is due. The *lease* of a registry is a lock in
 * the store that ends by itself unless it is renewed. A *run* is a tick that got the lease, so a registry has one run
 * at a time.
 *
 * - `admit` takes the lease, or refuses the tick. A refused tick changes nothing and leaves no record.
 * - `decide` finds out whether there is anything to do, and why.
 * - `perform` reads the source, and stores all its rows as a *snapshot*.
 * - `finish` writes the outcome into the status and the run log, serves the new snapshot if there is one, and releases the
 *   lease: all in one step, which the store refuses if the lease is lost.
 *
 * A tick is refused if the config does not name the registry (`unknown-registry`), if a cheap check before the lease found
 * nothing new (`no-op`), if another run has the lease (`busy`), if an earlier run has done its work (`handled`,
 * `superseded`), or if the process is told to stop (`stopped`).
 *
 * A run ends with one of these outcomes:
 *
 * - `skipped`, by `decide`: the registry is suspended or pinned, or waits after a failure.
 * - `unchanged`, by `decide`: the source says that it has not changed. Or by `perform`: what it has is served already.
 * - `published`, by `perform`: a new snapshot is stored, and `finish` serves it.
 * - `held`, by `perform`: the new snapshot has lost so many rows that an operator must approve it first.
 * - `failed`: `decide` or `perform` threw an error, or the run took longer than the registry allows. The next try is
 *   later each time.
 * - `interrupted`: the process was told to stop, the registry was suspended, pinned or removed from the config, or the
 *   lease was lost. This is no failure of the registry.
 *
 * There is no outcome if the process dies, or if the store stays away until the lease has ended. Then a sweep finds the
 * ended lease and starts another run. What is served stays as it was in each case but `published`.
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
 * follow-ups: syncs of the catalogs that contain the registry, the answer to a request that came meanwhile, a retry.
 *
 * @param stop is aborted when the process stops, and then ends the run
 * @throws only if the store is away before the run begins, or until its lease has ended
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
 * Decides whether there is anything to do, and why. `manager.shouldSync` applies the rules, and then asks the source
 * whether it has changed. A decision not to sync is the result of the run: `skipped` or `unchanged`.
 */
async function decide(
  { manager, capacity }: SyncDependencies,
  { context, checked }: AdmittedRun,
): Promise<SyncDecision> {
  // `signal` is aborted when the run must end: stop, timeout, operator, lost lease.
  const { registry, signal } = context;
  // The store may have granted the lease so late that it has ended.
  signal.throwIfAborted();
  // Each of the last runs ended with the death of its process.
  if (isPoison(context)) throw poisonError();
  // Work that did not end when its signal was aborted still runs in this process. More of it would take all its threads.
  if (capacity.hungWork.has(registry.name)) {
    throw new SynclineError('run-timeout', 'an earlier run still hangs in the same process');
  }
  // `admit` has asked the source already, before it took the lease, and no run has come between.
  if (checked !== undefined) return checked;
  return context.timePhase('decide', () =>
    capacity.hungWork.watch(registry.name, manager.shouldSync(context), signal),
  );
}

/** Reads the source, and stores a snapshot unless it is served already. `stored` says which: new, held or unchanged. */
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
  // Waits for the work, but not much longer than until the signal is aborted.
  return capacity.hungWork
    .watch(registry.name, work(), signal)
    .catch((error: unknown) => resultOfError(context, error, decision.reason));
}
