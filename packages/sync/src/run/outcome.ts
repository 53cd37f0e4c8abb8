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
import { filterHash, isMirrorValid, sourceHash } from '../decide/hashes.ts';
import type { SyncDecision } from '../perform/manager.ts';
import type { StoreResult, SyncedContent } from '../perform/store-built.ts';
import type { RunContext } from '../ports/run-context.ts';
import { POISON_AFTER_STARTS } from '../ports/run-store.ts';
import { Interruption } from './lease-keeper.ts';

/** What the steps of a run came to. */
export type RunResult =
  /** Nothing to do: `skipped` by a rule, or `unchanged` at the source. */
  | (SyncDecision & { readonly sync: false })
  /** The registry was read; whether that is published, held or unchanged is in `stored`. */
  | { readonly outcome: 'read'; readonly reason: Reason; readonly stored: StoreResult }
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
  readonly outcome: Outcome;
  /** What differs from the status before. `undefined` removes a field. */
  readonly changes: StatusChanges;
  /** What the run log says besides. */
  readonly details: Partial<Run>;
  readonly publication?: Publication;
}

/** The result of a run in which a step threw; the reason of its signal counts more than the error. */
export function failedBy(context: RunContext, error: unknown, reason?: Reason): RunResult {
  const cause = context.signal.aborted ? context.signal.reason : error;
  if (cause instanceof Interruption) return { outcome: 'interrupted', message: cause.message };
  return { outcome: 'failed', reason, error: toSynclineError(cause) };
}

/** @param options.random in [0, 1); spreads the next tries of registries that fail together */
export function endingOf(
  context: RunContext,
  result: RunResult,
  options: { random: number },
): Ending {
  switch (result.outcome) {
    case 'skipped': {
      const { reason, message } = result;
      // It has not been tried, so that nothing is known of whether it lives through a run.
      const untried = { startsWithoutFinish: startsBefore(context.status) };
      // What a failing registry waits for is known; what it failed of must stay to be seen.
      const changes = reason === 'backing-off' ? untried : { ...untried, reason, message };
      return { outcome: 'skipped', changes, details: { reason } };
    }
    case 'unchanged': {
      const { reason, revision } = result;
      return {
        outcome: 'unchanged',
        changes: { ...succeeded(context), reason, ...(revision === undefined ? {} : { revision }) },
        details: { reason },
      };
    }
    case 'read':
      return performed(context, result, result.stored);
    case 'failed':
      return failed(context, result, options);
    case 'interrupted': {
      const { message } = result;
      return { outcome: 'interrupted', changes: { startsWithoutFinish: 0, message }, details: {} };
    }
  }
}

function performed(
  context: RunContext,
  { reason }: { reason: Reason },
  result: StoreResult,
): Ending {
  const { manifest } = result;
  const now = iso(context.now());
  const synced = result.origin === 'source' ? readSource(context, result) : filteredAnew(context);
  const lastSyncAt = synced.lastSyncAt ?? context.status.lastSyncAt;
  const changes: StatusChanges = {
    ...synced,
    reason,
    filterHash: filterHash(context.registry),
    mirror: result.mirror,
    mirrorSyncAt: result.mirror === undefined ? undefined : lastSyncAt,
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
          mirror: context.status.mirror,
          mirrorSyncAt: isMirrorValid(context.status) ? lastSyncAt : undefined,
          message: `held back: ${rowCountAfter} rows in place of ${rowCountBefore}`,
          held: {
            snapshot,
            since,
            reason: result.reason,
            rowCountBefore,
            rowCountAfter,
            filterHash: filterHash(context.registry),
          },
        },
      };
    }
  }
}

function readSource(
  context: RunContext,
  { revision, quarantined }: Pick<SyncedContent, 'revision' | 'quarantined'>,
): StatusChanges {
  return {
    ...succeeded(context),
    lastSyncAt: iso(context.now()),
    revision,
    sourceHash: sourceHash(context.registry),
    quarantinedCount: quarantined.count,
  };
}

/** The source was not asked: when it was last, and whether it fails, stays as it is. */
function filteredAnew({ status }: RunContext): StatusChanges {
  const message = status.consecutiveFailures > 0 ? status.message : undefined;
  return { startsWithoutFinish: 0, message };
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

/** The run failed: what is served stays, and so do its counts and its revision. */
function failed(
  context: RunContext,
  { error, reason }: Extract<RunResult, { outcome: 'failed' }>,
  { random }: { random: number },
): Ending {
  const isCrash = error.code === 'run-crashed';
  const usualMs = longestBackoffMs(context.registry, context.now());
  const isFirst = context.status.errorCode !== error.code;
  const longestMs = isCrash ? longestWaitAfterDeathsMs(usualMs, { isFirst }) : usualMs;
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
      // After a crash the next try is the only one: one more death, and it waits again, longer.
      startsWithoutFinish: isCrash ? POISON_AFTER_STARTS - 1 : 0,
      reason,
      consecutiveFailures,
      nextDueAt: nextTryAt,
      errorCode: code,
      message,
    },
  };
}

/** Whether the registry has died so often that it is taken for poison and is not tried. */
export function isPoison({ status }: RunContext): boolean {
  return status.startsWithoutFinish > POISON_AFTER_STARTS;
}

/** What a run of a poison registry fails with. */
export function poisonError(): SynclineError {
  return new SynclineError(
    'run-crashed',
    `the last ${POISON_AFTER_STARTS} runs ended with the death of their process`,
  );
}

/** What `startsWithoutFinish` was before the run that the status counts already. */
function startsBefore(status: SyncStatus): number {
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
