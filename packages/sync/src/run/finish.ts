import { setTimeout as sleep } from 'node:timers/promises';
import { catalogTargetId, changeStatus, type Run, SynclineError } from '@syncline/contract';
import type { Publication } from '@syncline/snapshot';
import type { ConfigSource } from '../ports/config-source.ts';
import type { RunContext } from '../ports/run-context.ts';
import type { Finished, RunEnding } from '../ports/run-store.ts';
import type { FollowUp, Ran } from '../ports/tick-source.ts';
import type { AdmittedRun } from './admit.ts';
import { type Ending, endingOf, type RunResult } from './outcome.ts';
import type { SyncDependencies } from './sync-dependencies.ts';

const FIRST_RETRY_DELAY_MS = 100;
const LONGEST_RETRY_DELAY_MS = 1_000;
/** The clocks of two processes may differ slightly. A retry before its due time does nothing. */
const RETRY_SLACK_MS = 250;

/**
 * Writes the outcome of a run and releases its lease: status, run log and served pointer in one fenced step. No other
 * code writes the outcome into the status.
 */
export async function finish(
  deps: SyncDependencies,
  { context, end }: AdmittedRun,
  result: RunResult,
): Promise<Ran> {
  const { config, observer, noOpTicks } = deps;
  const { registry, lease, startedAtMs } = context;
  const { finished, ending } = await context
    .timePhase('finish', () => write(deps, context, result))
    .finally(end);
  const isRefused = finished.state !== 'finished';
  const run = isRefused ? { ...ending.run, outcome: 'interrupted' as const } : ending.run;
  if (isRefused) {
    observer.fencedWriteRefused();
  } else {
    const status = changeStatus(context.status, { ...ending.changes, term: lease.term });
    noOpTicks?.remember(registry, { status, nowMs: startedAtMs });
  }
  observer.runFinished(run);
  logRun(context, run);
  const openRequest = isRefused ? undefined : finished.openRequest;
  return { state: 'ran', run, followUps: followUpsOf(run, { config, openRequest }) };
}

/**
 * Returns what must follow a run.
 *
 * @param options.openRequest a request that arrived during the run
 */
export function followUpsOf(
  { registry, term, outcome, error, finishedAt }: Run,
  { config, openRequest }: { config: ConfigSource; openRequest: number | undefined },
): FollowUp[] {
  const followUps: FollowUp[] = [];
  if (outcome === 'published') {
    for (const dependent of dependentsOf(config, registry)) {
      followUps.push({ kind: 'dependent', registry: dependent });
    }
  }
  if (openRequest !== undefined) {
    followUps.push({ kind: 'request', registry, request: openRequest });
  }
  if (error?.nextTryAt !== undefined) {
    const waitMs = Math.max(0, Date.parse(error.nextTryAt) - Date.parse(finishedAt));
    followUps.push({ kind: 'retry', registry, term, delayMs: waitMs + RETRY_SLACK_MS });
  }
  return followUps;
}

/** Returns the ids of the catalogs that a registry is a member of. */
export function dependentsOf(config: Pick<ConfigSource, 'current'>, registry: string): string[] {
  return (config.current()?.catalogs ?? [])
    .filter(({ registries }) => registries.includes(registry))
    .map(({ name }) => catalogTargetId(name));
}

/**
 * Writes the result of a run. The run fails if the store has lost parts of the publication, or if a key has a value of
 * another type. In the second case, `write` saves only the status, because the broken key may be the run log.
 */
async function write(
  deps: SyncDependencies,
  context: RunContext,
  result: RunResult,
  { isStatusOnly = false }: { isStatusOnly?: boolean } = {},
): Promise<{ finished: Finished; ending: Ending }> {
  const durationMs = Math.max(0, Math.round(context.now() - context.startedAtMs));
  const ending = endingOf(context, result, { random: deps.random(), durationMs });
  const { run, changes, publication } = ending;
  await removeUnpublished(deps, context, { result, changes });
  const { reason, handledRequest } = run;
  const isLogged = !isStatusOnly && isWorthARecord(context, run);
  let finished: Finished;
  try {
    const runEnding = { changes, handledRequest, ...(isLogged && { run }) };
    finished = await writeEnding(deps, context, { ending: runEnding, publication });
  } catch (error) {
    if (!isStoreCorrupt(error) || isStatusOnly) throw error;
    return write(deps, context, { outcome: 'failed', reason, error }, { isStatusOnly: true });
  }
  if (finished.state !== 'incomplete') return { finished, ending };
  const message = `the store has no ${finished.missing} for ${context.registry.name}`;
  const error = new SynclineError('snapshot-incomplete', message);
  return write(deps, context, { outcome: 'failed', reason, error });
}

/**
 * Removes what a run has staged without success, before the run releases its lease. Also removes what an earlier run has
 * left behind, because its process died or it lost its lease.
 */
async function removeUnpublished(
  { manager, logger }: SyncDependencies,
  context: RunContext,
  { result, changes }: { result: RunResult; changes: Ending['changes'] },
): Promise<void> {
  const { registry, lease, status, staging } = context;
  const hasLeftovers = staging.hasBegun
    ? result.outcome !== 'performed'
    : status.startsWithoutFinish > 1;
  if (!hasLeftovers) return;
  try {
    await manager.collectStaged?.(context, [status, changeStatus(status, changes)]);
  } catch (error) {
    const fields = { err: error, registry: registry.name, term: lease.term };
    logger.warn(fields, 'could not remove what the run has stored');
  }
}

/**
 * Writes the ending in one step. Repeats a failed write as long as the lease may last. After that, another run may have
 * the lease, and this ending is lost.
 *
 * @throws the last error if no attempt succeeds
 */
async function writeEnding(
  { runStore, clock, times, logger }: SyncDependencies,
  { lease }: RunContext,
  { ending, publication }: { ending: RunEnding; publication: Publication | undefined },
): Promise<Finished> {
  const startedAtMs = clock.monotonic();
  let delayMs = FIRST_RETRY_DELAY_MS;
  for (;;) {
    try {
      return publication === undefined
        ? await runStore.finish(lease, ending)
        : await runStore.publishAndFinish(lease, ending, publication);
    } catch (error) {
      // Waiting does not repair a value of another type.
      if (isStoreCorrupt(error)) throw error;
      const { registry, term } = lease;
      logger.warn({ err: error, registry, term }, 'could not save the status');
      if (clock.monotonic() - startedAtMs + delayMs > times.leaseTtlMs) throw error;
      await sleep(delayMs);
      delayMs = Math.min(delayMs * 2, LONGEST_RETRY_DELAY_MS);
    }
  }
}

function isStoreCorrupt(error: unknown): error is SynclineError {
  return error instanceof SynclineError && error.code === 'store-corrupt';
}

/** Returns whether to log a run. The run log skips scheduled ticks without news, which only the status records. */
function isWorthARecord({ trigger, status, control }: RunContext, { outcome }: Run): boolean {
  if (trigger !== 'schedule' || control.requested > control.handled) return true;
  const isNoOp = outcome === 'unchanged' || outcome === 'skipped';
  return !isNoOp || (outcome === 'unchanged' && status.consecutiveFailures > 0);
}

/** Logs one line per run, with its purpose and its outcome. */
function logRun({ logger }: RunContext, run: Run): void {
  const { id, registry, term, trigger, reason, outcome, durationMs, rowCount, diff, error } = run;
  const { added, updated, removed } = diff ?? {};
  const counts = { rowCount, added, updated, removed, quarantined: run.quarantined?.count };
  const summary = { registry, run: id, term, trigger, reason, outcome, durationMs };
  const fields = { ...summary, ...counts, ...run.upstream, error };
  if (outcome === 'failed' || outcome === 'held') logger.warn(fields, `run ${outcome}`);
  else if (outcome === 'unchanged' || outcome === 'skipped') logger.debug(fields, `run ${outcome}`);
  else logger.info(fields, `run ${outcome}`);
}
