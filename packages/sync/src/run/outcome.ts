import {
  type Outcome,
  type Reason,
  type Run,
  runId,
  type StatusChanges,
  SynclineError,
  settledPhase,
  toSynclineError,
} from '@syncline/contract';
import type { Manifest, Publication } from '@syncline/snapshot';
import { backoffMs, longestBackoffMs, longestWaitAfterDeathsMs } from '../decide/backoff.ts';
import { filterHash, isMirrorValid, sourceHash } from '../decide/should-sync.ts';
import type { SyncDecision } from '../perform/manager.ts';
import type { StoreResult } from '../perform/store-built.ts';
import type { RunContext } from '../ports/run-context.ts';
import { POISON_AFTER_STARTS } from '../ports/run-store.ts';
import { Interruption } from './lease-keeper.ts';

/** The result of the steps of a run. */
export type RunResult =
  /** Nothing to do: `skipped` by a rule, or `unchanged` at the source. */
  | (SyncDecision & { readonly sync: false })
  /** `stored` tells whether the snapshot was stored, is held, or is already served. */
  | { readonly outcome: 'performed'; readonly reason: Reason; readonly stored: StoreResult }
  /** A step threw. `reason`: why the run had started to sync, if it had. */
  | {
      readonly outcome: 'failed';
      readonly reason?: Reason | undefined;
      readonly error: SynclineError;
    }
  /** The process stops, the lease is lost, or an operator ended the run. Another run follows. */
  | { readonly outcome: 'interrupted'; readonly message: string };

/** What the end of a run writes. */
export interface Ending {
  /** The entry for the run log. */
  readonly run: Run;
  /** The changes of the status. `undefined` removes a field. */
  readonly changes: StatusChanges;
  readonly publication: Publication | undefined;
}

interface Verdict {
  readonly outcome: Outcome;
  readonly changes: StatusChanges;
  /** Further fields for the run log. */
  readonly details?: Partial<Run>;
  readonly publication?: Publication;
}

/** Returns the result of a run in which a step threw. The reason of an aborted signal replaces the error. */
export function resultOfError(context: RunContext, error: unknown, reason?: Reason): RunResult {
  const cause = context.signal.aborted ? context.signal.reason : error;
  if (cause instanceof Interruption) return { outcome: 'interrupted', message: cause.message };
  return { outcome: 'failed', reason, error: toSynclineError(cause) };
}

/**
 * Returns what the end of a run writes: the run's entry and the changes of the registry's status.
 *
 * @param options.random in [0, 1); spreads the next attempts of registries that fail together
 */
export function endingOf(
  context: RunContext,
  result: RunResult,
  { random, durationMs }: { random: number; durationMs: number },
): Ending {
  const { lease, trigger, upstream, control, status, startedAtMs } = context;
  const { outcome, details, publication, ...verdict } = verdictOf(context, result, random);
  const run: Run = {
    ...lease,
    id: runId(lease.registry, lease.term),
    trigger,
    outcome,
    startedAt: iso(startedAtMs),
    finishedAt: iso(startedAtMs + durationMs),
    durationMs,
    // An interrupted run handles no request, because a new run follows.
    handledRequest: outcome === 'interrupted' ? control.handled : control.requested,
    upstream: { ...upstream },
    ...details,
  };
  const changes = { lastAttemptAt: iso(startedAtMs), durationMs, ...verdict.changes };
  const phase = settledPhase({ ...status, ...changes });
  return { run, changes: { ...withoutRepetition(changes, status), phase }, publication };
}

/** Returns the fields that differ, and always the message, because progress reports have changed it. */
function withoutRepetition(changes: StatusChanges, before: StatusChanges): StatusChanges {
  const differs = ([name, value]: [string, unknown]) =>
    name === 'message' || Reflect.get(before, name) !== value;
  return Object.fromEntries(Object.entries(changes).filter(differs));
}

function verdictOf(context: RunContext, result: RunResult, random: number): Verdict {
  switch (result.outcome) {
    case 'skipped': {
      const { reason, message } = result;
      // No step tried the registry, so it is still unknown whether it survives a run.
      const startsWithoutFinish = Math.max(0, context.status.startsWithoutFinish - 1);
      // While a registry backs off, its status keeps the error of the last attempt.
      const changes =
        reason === 'backing-off'
          ? { startsWithoutFinish }
          : { startsWithoutFinish, reason, message };
      return { outcome: 'skipped', changes, details: { reason } };
    }
    case 'unchanged': {
      const { reason, revision } = result;
      const changes = { ...succeeded(context), reason, ...(revision && { revision }) };
      return { outcome: 'unchanged', changes, details: { reason } };
    }
    case 'performed':
      return performed(context, result);
    case 'failed':
      return failed(context, result, random);
    case 'interrupted': {
      const { message } = result;
      return { outcome: 'interrupted', changes: { startsWithoutFinish: 0, message } };
    }
  }
}

function performed(
  context: RunContext,
  { reason, stored }: Extract<RunResult, { outcome: 'performed' }>,
): Verdict {
  const { status, registry } = context;
  const { manifest, diff, revision, quarantined, mirror } = stored;
  const now = iso(context.now());
  const isRead = stored.origin === 'source';
  const lastSyncAt = isRead ? now : status.lastSyncAt;
  const synced: StatusChanges = isRead
    ? {
        ...succeeded(context),
        lastSyncAt,
        revision,
        sourceHash: sourceHash(registry),
        quarantinedCount: quarantined.count,
      }
    : // The run did not ask the source, so the time of its last sync and its failures stay.
      {
        startsWithoutFinish: 0,
        message: status.consecutiveFailures > 0 ? status.message : undefined,
      };
  const changes: StatusChanges = {
    ...synced,
    reason,
    filterHash: filterHash(registry),
    mirror,
    mirrorSyncAt: mirror === undefined ? undefined : lastSyncAt,
    held: stored.origin === 'stored' ? status.held : undefined,
  };
  const details: Partial<Run> = {
    reason,
    diff,
    rowCount: manifest.rowCount,
    quarantined: { count: quarantined.count, samples: [...quarantined.samples] },
    ...(revision === undefined ? {} : { revision }),
  };
  switch (stored.state) {
    case 'unchanged':
      return { outcome: 'unchanged', changes, details };
    case 'stored': {
      const { publication } = stored;
      const snapshot = publication.manifest;
      return {
        outcome: 'published',
        publication,
        details: { ...details, snapshot },
        changes: { ...changes, ...countsOf(manifest), snapshot, lastChangeAt: now },
      };
    }
    case 'held': {
      const { snapshot, rowCountBefore } = stored;
      const rowCountAfter = manifest.rowCount;
      return {
        outcome: 'held',
        details: { ...details, snapshot },
        changes: {
          ...changes,
          // The held state is not served. The next check must not find its revision or hashes.
          revision: undefined,
          sourceHash: status.sourceHash,
          filterHash: status.filterHash,
          mirror: status.mirror,
          mirrorSyncAt: isMirrorValid(status) ? lastSyncAt : undefined,
          message: `the guard holds the new state: ${rowCountAfter} rows instead of ${rowCountBefore}`,
          held: {
            snapshot,
            since: status.held?.snapshot === snapshot ? status.held.since : now,
            reason: stored.reason,
            rowCountBefore,
            rowCountAfter,
            filterHash: filterHash(registry),
          },
        },
      };
    }
  }
}

/** Returns the counts that the status shows after a publication. */
export function countsOf({ serverCount, rowCount, skillCount, pluginCount }: Manifest) {
  return { serverCount, versionCount: rowCount, skillCount, pluginCount };
}

/** Returns the changes after a failure. The status keeps the served snapshot, its counts and its revision. */
function failed(
  { registry, status, now }: RunContext,
  { error, reason }: Extract<RunResult, { outcome: 'failed' }>,
  random: number,
): Verdict {
  const { code, message, retryAfterMs } = error;
  const isCrash = code === 'run-crashed';
  const usualMs = longestBackoffMs(registry, now());
  const consecutiveFailures = status.consecutiveFailures + 1;
  const delayMs = backoffMs({
    consecutiveFailures,
    intervalMs: isCrash
      ? longestWaitAfterDeathsMs(usualMs, { isFirst: status.errorCode !== code })
      : usualMs,
    retryAfterMs,
    random,
  });
  const nextTryAt = iso(now() + delayMs);
  return {
    outcome: 'failed',
    details: { ...(reason && { reason }), error: { code, message, nextTryAt } },
    changes: {
      // After a crash, the registry gets one attempt. If it crashes again, the next wait is longer.
      startsWithoutFinish: isCrash ? POISON_AFTER_STARTS - 1 : 0,
      reason,
      consecutiveFailures,
      nextDueAt: nextTryAt,
      errorCode: code,
      message,
    },
  };
}

/** Returns whether so many runs have died that the registry counts as poison and must not run. */
export function isPoison({ status }: RunContext): boolean {
  return status.startsWithoutFinish > POISON_AFTER_STARTS;
}

/** Returns the error of a poison registry's run. */
export function poisonError(): SynclineError {
  return new SynclineError(
    'run-crashed',
    `the process died in each of the last ${POISON_AFTER_STARTS} runs of the registry`,
  );
}

function succeeded({ now }: RunContext): StatusChanges {
  return {
    startsWithoutFinish: 0,
    consecutiveFailures: 0,
    nextDueAt: undefined,
    errorCode: undefined,
    message: undefined,
    lastSuccessAt: iso(now()),
  };
}

function iso(epochMs: number): string {
  return new Date(epochMs).toISOString();
}
