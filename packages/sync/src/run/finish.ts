import {
  changeStatus,
  dependentsOf,
  type Run,
  type StatusChanges,
  SynclineError,
} from '@syncline/contract';
import type { RunContext } from '../ports/run-context.ts';
import type { Finished } from '../ports/run-store.ts';
import type { Ran } from '../ports/tick-source.ts';
import type { AdmittedRun } from './admit.ts';
import { endingOf, type RunResult, runRecord, statusChanges } from './outcome.ts';
import type { SyncDependencies } from './sync-dependencies.ts';
import { writeOutcome } from './write-outcome.ts';

/** What was written of a run. */
interface Written {
  readonly finished: Finished;
  readonly record: Run;
  readonly changes: StatusChanges;
}

/**
 * Writes the outcome of a run and releases its lease: status, run log and served pointer in one fenced step. The only
 * place where the status of a run is written.
 */
export async function finish(
  deps: SyncDependencies,
  { context, end }: AdmittedRun,
  result: RunResult,
): Promise<Ran> {
  let written: Written;
  try {
    written = await context.timePhase('finish', () => write(deps, context, result));
  } finally {
    end();
  }
  const { finished, changes } = written;
  const isRefused = finished.state !== 'finished';
  const run = isRefused ? { ...written.record, outcome: 'interrupted' as const } : written.record;
  if (isRefused) deps.observer.fencedWriteRefused();
  else remember(deps, context, changes);
  deps.observer.runFinished(run);
  logRun(context, run);
  const dependents = run.outcome === 'published' ? findDependents(deps, context) : [];
  const openRequest = finished.state === 'finished' ? finished.openRequest : undefined;
  return { state: 'ran', run, dependents, ...(openRequest === undefined ? {} : { openRequest }) };
}

function findDependents({ config }: SyncDependencies, { registry }: RunContext): string[] {
  const current = config.current();
  return current === undefined ? [] : dependentsOf(current, registry.name);
}

/**
 * Writes the result, or a failure instead if the store has lost parts of what was to be published, or if keys of ours
 * hold values of another type.
 */
async function write(
  deps: SyncDependencies,
  context: RunContext,
  result: RunResult,
): Promise<Written> {
  const ending = endingOf(context, result, { random: deps.random() });
  const durationMs = Math.max(0, Math.round(context.now() - context.startedAtMs));
  const record = runRecord(context, ending, { durationMs });
  const changes = statusChanges(context, ending, { durationMs });
  const { handledRequest } = record;
  const fail = (error: SynclineError): RunResult => ({
    outcome: 'failed',
    reason: record.reason,
    error,
  });
  try {
    const run = isWorthARecord(context, record) ? { run: record } : {};
    const finished = await writeOutcome(deps, context, {
      ending: { changes, handledRequest, ...run },
      publication: ending.publication,
    });
    if (finished.state !== 'incomplete') return { finished, record, changes };
    const message = `${context.registry.name} lacks ${finished.missing}`;
    return await write(deps, context, fail(new SynclineError('snapshot-incomplete', message)));
  } catch (error) {
    if (!(error instanceof SynclineError) || error.code !== 'store-corrupt') throw error;
    return writeStatusAlone(deps, context, { result: fail(error), durationMs });
  }
}

/** Writes the status, which lies elsewhere, if neither run log nor snapshot can be written. */
async function writeStatusAlone(
  deps: SyncDependencies,
  context: RunContext,
  { result, durationMs }: { result: RunResult; durationMs: number },
): Promise<Written> {
  const ending = endingOf(context, result, { random: deps.random() });
  const record = runRecord(context, ending, { durationMs });
  const changes = statusChanges(context, ending, { durationMs });
  const finished = await writeOutcome(deps, context, {
    ending: { changes, handledRequest: record.handledRequest },
    publication: undefined,
  });
  return { finished, record, changes };
}

/** A scheduled tick that finds what the one before it found is no news; the status counts it. */
function isWorthARecord({ trigger, status, control }: RunContext, { outcome }: Run): boolean {
  if (trigger !== 'schedule' || control.requested > control.handled) return true;
  const isNoOp = outcome === 'unchanged' || outcome === 'skipped';
  return !isNoOp || (outcome === 'unchanged' && status.consecutiveFailures > 0);
}

function remember(
  { noOpTicks }: SyncDependencies,
  { registry, lease, status: before, startedAtMs: nowMs }: RunContext,
  changes: StatusChanges,
): void {
  const status = changeStatus(before, { ...changes, term: lease.term });
  noOpTicks?.remember(registry, { status, nowMs });
}

/** One line a run, with what it was for and what it came to. */
function logRun({ logger }: RunContext, run: Run): void {
  const { registry, term, trigger, reason, outcome, durationMs, rowCount, diff, error } = run;
  const { requests, bytes } = run.upstream;
  const quarantined = run.quarantined?.count;
  const { added, updated, removed } = diff ?? {};
  const counts = { rowCount, added, updated, removed, quarantined, requests, bytes };
  const fields = {
    registry,
    run: run.id,
    term,
    trigger,
    reason,
    outcome,
    durationMs,
    ...counts,
    error,
  };
  if (outcome === 'failed' || outcome === 'held') logger.warn(fields, `run ${outcome}`);
  else if (outcome === 'unchanged' || outcome === 'skipped') logger.debug(fields, `run ${outcome}`);
  else logger.info(fields, `run ${outcome}`);
}
