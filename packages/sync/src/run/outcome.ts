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
  /** `stored` says whether a snapshot was stored, is held, or is served already. */
  | { readonly outcome: 'performed'; readonly reason: Reason; readonly stored: StoreResult }
  /** A step threw. `reason`: why the run had begun to sync, if it got so far. */
  | {
      readonly outcome: 'failed';
      readonly reason?: Reason | undefined;
      readonly error: SynclineError;
    }
  /** The process stops, the lease is lost, or an operator ended the run. It does not count, and is run again. */
  | { readonly outcome: 'interrupted'; readonly message: string };

/** What a result writes. */
export interface Ending {
  /** The run as the run log keeps it. */
  readonly run: Run;
  /** What differs from the status before. `undefined` removes a field. */
  readonly changes: StatusChanges;
  readonly publication: Publication | undefined;
}

interface Verdict {
  readonly outcome: Outcome;
  readonly changes: StatusChanges;
  /** What the run log says in addition. */
  readonly details?: Partial<Run>;
  readonly publication?: Publication;
}

/** Returns the result of a run in which a step threw. The reason of an aborted signal counts more than the error. */
export function resultOfError(context: RunContext, error: unknown, reason?: Reason): RunResult {
  const cause = context.signal.aborted ? context.signal.reason : error;
  if (cause instanceof Interruption) return { outcome: 'interrupted', message: cause.message };
  return { outcome: 'failed', reason, error: toSynclineError(cause) };
}

/**
 * Returns what the result of a run writes: its record and the changes of its registry's status.
 *
 * @param options.random in [0, 1); spreads the next tries of registries that fail together
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
    // An interrupted run handles no request: a new run does.
    handledRequest: outcome === 'interrupted' ? control.handled : control.requested,
    upstream: { ...upstream },
    ...details,
  };
  const changes = { lastAttemptAt: iso(startedAtMs), durationMs, ...verdict.changes };
  const phase = settledPhase({ ...status, ...changes });
  return { run, changes: { ...withoutRepetition(changes, status), phase }, publication };
}

/** Returns what differs, and the message: the reports of the run have changed it since. */
function withoutRepetition(changes: StatusChanges, before: StatusChanges): StatusChanges {
  const differs = ([name, value]: [string, unknown]) =>
    name === 'message' || Reflect.get(before, name) !== value;
  return Object.fromEntries(Object.entries(changes).filter(differs));
}

function verdictOf(context: RunContext, result: RunResult, random: number): Verdict {
  switch (result.outcome) {
    case 'skipped': {
      const { reason, message } = result;
      // The registry was not tried, so whether it survives a run is still unknown.
      const startsWithoutFinish = Math.max(0, context.status.startsWithoutFinish - 1);
      // While a registry backs off, its status keeps the error of the last try.
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
    : // The source was not asked: the time of its last sync and its failures stay.
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
    held: undefined,
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
          // The held state is not what is served. The next check must not find its revision or hashes.
          revision: undefined,
          sourceHash: status.sourceHash,
          filterHash: status.filterHash,
          mirror: status.mirror,
          mirrorSyncAt: isMirrorValid(status) ? lastSyncAt : undefined,
          message: `held back: ${rowCountAfter} rows instead of ${rowCountBefore}`,
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

/** Returns the counts that the status shows once a snapshot is published. */
export function countsOf({ serverCount, rowCount, skillCount, pluginCount }: Manifest) {
  return { serverCount, versionCount: rowCount, skillCount, pluginCount };
}

/** The status keeps what is served, its counts and its revision. */
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
      // After a crash there is one try. If it dies too, the registry waits again, longer.
      startsWithoutFinish: isCrash ? POISON_AFTER_STARTS - 1 : 0,
      reason,
      consecutiveFailures,
      nextDueAt: nextTryAt,
      errorCode: code,
      message,
    },
  };
}

/** Returns whether the registry has died so often that it counts as poison and is not tried. */
export function isPoison({ status }: RunContext): boolean {
  return status.startsWithoutFinish > POISON_AFTER_STARTS;
}

/** Returns the error with which a run of a poison registry fails. */
export function poisonError(): SynclineError {
  return new SynclineError(
    'run-crashed',
    `the last ${POISON_AFTER_STARTS} runs ended with the death of their process`,
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
