import {
  type Outcome,
  type Reason,
  type Run,
  runId,
  type StatusChanges,
  SynclineError,
  type SyncStatus,
  settledPhase,
  toSynclineError,
} from '@syncline/contract';
import type { Publication } from '@syncline/snapshot';
import { backoffMs, longestBackoffMs, longestWaitAfterDeathsMs } from '../decide/backoff.ts';
import { filterHash, sourceHash } from '../decide/hashes.ts';
import type { SyncDecision } from '../perform/manager.ts';
import type { StoreResult, SyncedContent } from '../perform/store-built.ts';
import type { RunContext } from '../ports/run-context.ts';
import { Interruption } from './lease-keeper.ts';

/** How a run ends, decided once, before anything of it is written. */
export interface Ending {
  readonly outcome: Outcome;
  /** What differs from the status before. `undefined` removes a field. */
  readonly changes: StatusChanges;
  /** What the run log says besides. */
  readonly details: Partial<Run>;
  readonly publication?: Publication;
}

/** Nothing was done and nothing is said: the registry is as it was before the run, and was not tried. */
export function untouched({ status }: RunContext): Ending {
  const { lastAttemptAt, durationMs } = status;
  const changes = { startsWithoutFinish: startsBefore(status), lastAttemptAt, durationMs };
  return { outcome: 'interrupted', changes, details: {} };
}

/** The run was told to stop. No failure: it does not count, and is run again. */
export function interrupted(message: string): Ending {
  return { outcome: 'interrupted', changes: { startsWithoutFinish: 0, message }, details: {} };
}

/** `shouldSync` said no. */
export function notNeeded(context: RunContext, decision: SyncDecision & { sync: false }): Ending {
  const { reason, because, message, revision } = decision;
  if (because === 'skipped') {
    // It has not been tried, so that nothing is known of whether it lives through a run.
    const untried = { startsWithoutFinish: startsBefore(context.status) };
    // What a failing registry waits for is known; what it failed of must stay to be seen.
    const changes = reason === 'backing-off' ? untried : { ...untried, reason, message };
    return { outcome: 'skipped', changes, details: { reason } };
  }
  return {
    outcome: 'unchanged',
    changes: { ...succeeded(context), reason, ...(revision === undefined ? {} : { revision }) },
    details: { reason },
  };
}

/** `performSync` came to a result. */
export function performed(
  context: RunContext,
  { reason }: SyncDecision,
  result: StoreResult,
): Ending {
  const { manifest, revision, quarantined } = result;
  const now = iso(context.now());
  const changes: StatusChanges = {
    ...succeeded(context),
    reason,
    lastSyncAt: now,
    revision,
    sourceHash: sourceHash(context.registry),
    filterHash: filterHash(context.registry),
    quarantinedCount: quarantined.count,
  };
  const details = contentDetails(reason, result);
  switch (result.state) {
    case 'unchanged':
      return { outcome: 'unchanged', changes: { ...changes, held: undefined }, details };
    case 'stored':
      return {
        outcome: 'published',
        publication: result.publication,
        details: { ...details, snapshot: result.publication.manifest },
        changes: { ...changes, ...countsOf(result), held: undefined, lastChangeAt: now },
      };
    case 'held': {
      const { snapshot, rowCountBefore } = result;
      const since = context.status.held?.snapshot === snapshot ? context.status.held.since : now;
      const rowCountAfter = manifest.rowCount;
      return {
        outcome: 'held',
        details: { ...details, snapshot },
        changes: {
          ...changes,
          // What is served is not this state, nor filtered as this one is: the next check must not take
          // either for known.
          revision: undefined,
          sourceHash: context.status.sourceHash,
          filterHash: context.status.filterHash,
          message: `held back: ${rowCountAfter} rows in place of ${rowCountBefore}`,
          held: { snapshot, since, reason: result.reason, rowCountBefore, rowCountAfter },
        },
      };
    }
  }
}

/** The counts of a snapshot, as the status shows them, once it is published. */
export function countsOf({ manifest }: Pick<SyncedContent, 'manifest'>) {
  return {
    serverCount: manifest.serverCount,
    versionCount: manifest.rowCount,
    skillCount: manifest.skillCount,
    pluginCount: manifest.pluginCount,
  };
}

interface FailureOptions {
  /** In [0, 1); spreads the next tries. */
  readonly random: number;
  /** Why the run had begun to sync, if it had got so far. */
  readonly reason?: Reason | undefined;
  /** The longest wait for the next try. Default: see {@link longestBackoffMs}. */
  readonly longestMs?: number;
}

/** Something threw. */
export function endedByError(context: RunContext, error: unknown, options: FailureOptions): Ending {
  const cause = context.signal.aborted ? context.signal.reason : error;
  if (cause instanceof Interruption) return interrupted(cause.message);
  return failed(context, toSynclineError(cause), options);
}

/** The run failed: what is served stays, and so do its counts and its revision. */
export function failed(
  context: RunContext,
  error: SynclineError,
  { random, reason, longestMs = longestBackoffMs(context.registry, context.now()) }: FailureOptions,
): Ending {
  const consecutiveFailures = context.status.consecutiveFailures + 1;
  const delayMs = backoffMs({
    consecutiveFailures,
    intervalMs: longestMs,
    retryAfterMs: error.retryAfterMs,
    random,
  });
  const nextTryAt = iso(context.now() + delayMs);
  const { code, message } = error;
  return {
    outcome: 'failed',
    details: { ...(reason === undefined ? {} : { reason }), error: { code, message, nextTryAt } },
    changes: {
      startsWithoutFinish: 0,
      reason,
      consecutiveFailures,
      nextDueAt: nextTryAt,
      errorCode: code,
      message,
    },
  };
}

/** Runs in a row that never finished before a registry is taken to kill its process. */
export const POISON_AFTER_STARTS = 3;

/** The registry has died so often that it is not tried. @see poisoned */
export function isPoisoned({ status }: RunContext): boolean {
  return status.startsWithoutFinish > POISON_AFTER_STARTS;
}

/**
 * One more death, and the registry is taken to kill its process. What was under way beside it has died as
 * often, and looks the same.
 */
export function isSuspect({ status }: RunContext): boolean {
  return status.startsWithoutFinish === POISON_AFTER_STARTS;
}

/**
 * The registry has ended its process three times in a row. It is not tried now, and the next try is the
 * only one that it gets: one more death, and it waits again, longer.
 */
export function poisoned(context: RunContext, options: FailureOptions): Ending {
  const error = new SynclineError(
    'run-crashed',
    `the last ${POISON_AFTER_STARTS} runs ended with the death of their process`,
  );
  const longestMs = longestWaitAfterDeathsMs(longestBackoffMs(context.registry, context.now()), {
    isFirst: context.status.errorCode !== error.code,
  });
  const ending = failed(context, error, { ...options, longestMs });
  return {
    ...ending,
    changes: { ...ending.changes, startsWithoutFinish: POISON_AFTER_STARTS - 1 },
  };
}

/** What `startsWithoutFinish` was before the run that the status counts already. */
export function startsBefore(status: SyncStatus): number {
  return Math.max(0, status.startsWithoutFinish - 1);
}

function succeeded(context: RunContext): StatusChanges {
  return {
    startsWithoutFinish: 0,
    consecutiveFailures: 0,
    nextDueAt: undefined,
    errorCode: undefined,
    message: undefined,
    lastSuccessAt: iso(context.now()),
  };
}

function contentDetails(reason: Run['reason'], content: SyncedContent): Partial<Run> {
  const { diff, quarantined, manifest, revision } = content;
  return {
    reason,
    diff,
    rowCount: manifest.rowCount,
    quarantined: { count: quarantined.count, samples: [...quarantined.samples] },
    ...(revision === undefined ? {} : { revision }),
  };
}

/** What a run changes in its registry's status. */
export function statusChanges(
  context: RunContext,
  ending: Ending,
  { durationMs }: { durationMs: number },
): StatusChanges {
  const changes: StatusChanges = {
    lastAttemptAt: iso(context.startedAtMs),
    durationMs,
    ...ending.changes,
  };
  if (ending.publication !== undefined) changes.snapshot = ending.publication.manifest;
  const settled = { ...context.status, ...changes };
  return { ...withoutRepetition(changes, context.status), phase: settledPhase(settled) };
}

/** What is to be written: what differs, and the message, which the run's reports have changed since. */
function withoutRepetition(changes: StatusChanges, before: StatusChanges): StatusChanges {
  const differs = ([name, value]: [string, unknown]) =>
    name === 'message' || Reflect.get(before, name) !== value;
  return Object.fromEntries(Object.entries(changes).filter(differs));
}

/** The run as the log keeps it. */
export function runRecord(
  context: RunContext,
  ending: Ending,
  { durationMs }: { durationMs: number },
): Run {
  const { lease, trigger, upstream, control } = context;
  const answers = ending.outcome !== 'interrupted';
  return {
    id: runId(lease.registry, lease.term),
    registry: lease.registry,
    term: lease.term,
    owner: lease.owner,
    trigger,
    outcome: ending.outcome,
    startedAt: iso(context.startedAtMs),
    finishedAt: iso(context.startedAtMs + durationMs),
    durationMs,
    // An interrupted run answers nothing: what was asked for is run again.
    handledRequest: answers ? control.requested : control.handled,
    upstream: { ...upstream },
    ...ending.details,
  };
}

function iso(epochMs: number): string {
  return new Date(epochMs).toISOString();
}
