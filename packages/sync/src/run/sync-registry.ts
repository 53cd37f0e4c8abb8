/**
 * The story of a run: admit → decide → perform → finish. Everything else in this package is part of one of these steps.
 * States, transitions and invariants: `SPEC.md`.
 *
 * A tick ends in one of two ways:
 * - It is refused by {@link admit}, with a reason. Nothing ran, and nothing is recorded.
 * - It becomes a run. The outcome is `skipped` or `unchanged` if {@link decide} finds nothing to do; `published`,
 *   `held` or `unchanged` if {@link perform} has read the registry; `failed` if a step throws; `interrupted` if the
 *   process stops, the lease is lost, or an operator ends the run.
 */
import { SynclineError } from '@syncline/contract';
import type { SyncDecision } from '../perform/manager.ts';
import type { Tick, TickResult } from '../ports/tick-source.ts';
import { type AdmittedRun, admit } from './admit.ts';
import { finish } from './finish.ts';
import { failedBy, isPoison, poisonError, type RunResult } from './outcome.ts';
import type { SyncDependencies } from './sync-dependencies.ts';

/**
 * Runs one registry, unless the tick is refused. Returns the result, with what must follow. Whatever happens, `finish`
 * writes the outcome and releases the lease. Throws only if the store is away; never for what a registry or its
 * upstream does.
 *
 * @param stop interrupts the run
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
  // An error becomes a failed or interrupted result.
  const result = await steps().catch((error: unknown) => failedBy(run.context, error));
  return finish(deps, run, result);
}

/** Decides whether there is anything to do, and why: the rules first, then the source's cheap check. */
async function decide(
  { manager, capacity }: SyncDependencies,
  { context, checked }: AdmittedRun,
): Promise<SyncDecision> {
  const { registry, signal } = context;
  // The lease may have ended before its answer arrived.
  signal.throwIfAborted();
  if (isPoison(context)) throw poisonError();
  // A second run would hang too, and take more of the process.
  if (capacity.hungWork.has(registry.name)) {
    throw new SynclineError('run-timeout', 'an earlier run still hangs in the same process');
  }
  // The tick has asked the source already, and nothing has happened since.
  if (checked !== undefined) return checked;
  return context.timePhase('decide', () =>
    capacity.hungWork.watch(registry.name, manager.shouldSync(context), signal),
  );
}

/** Reads the source, builds the snapshot, and stores it unless it is already served. */
function perform(
  { manager, capacity }: SyncDependencies,
  { context }: AdmittedRun,
  decision: SyncDecision & { sync: true },
): Promise<RunResult> {
  const { registry, signal } = context;
  context.report(`syncing: ${decision.reason}`);
  const work = async (): Promise<RunResult> => {
    const stored = await manager.performSync(context, decision);
    return { outcome: 'read', reason: decision.reason, stored };
  };
  return capacity.hungWork
    .watch(registry.name, work(), signal)
    .catch((error: unknown) => failedBy(context, error, decision.reason));
}
