/**
 * The story of a sync, from the lease to the status. Everything else in this package is a step of it.
 * States, transitions and invariants: `SPEC.md`.
 */
import {
  changeStatus,
  followersOf,
  type Run,
  type StatusChanges,
  SynclineError,
  settledPhase,
} from '@syncline/contract';
import type { SyncDecision } from '../perform/manager.ts';
import type { ConfigSource } from '../ports/config-source.ts';
import type { RunContext } from '../ports/run-context.ts';
import type { Acquired, Acquisition, Finished } from '../ports/run-store.ts';
import type { Tick, TickResult } from '../ports/tick-source.ts';
import { type Attempt, isAnswered } from './answered-ticks.ts';
import { type Moment, momentOf } from './lease-keeper.ts';
import { type Crowd, type Places, releasePlaces, takeTurn, waitForPlace } from './places.ts';
import { startRun } from './run-context.ts';
import {
  type Ending,
  endedByError,
  failed,
  interrupted,
  isPoisoned,
  notNeeded,
  performed,
  poisoned,
  runRecord,
  startsBefore,
  statusChanges,
  untouched,
} from './run-ending.ts';
import type { SyncDependencies } from './sync-dependencies.ts';
import { writeEnding } from './write-ending.ts';

/**
 * Runs one registry, if nobody else does, and says what became of it. Never throws for what a registry
 * or its upstream does; throws where the store is away.
 *
 * @param stop ends the run early; it then counts as interrupted
 */
export async function syncRegistry(
  deps: SyncDependencies,
  tick: Tick,
  stop: AbortSignal,
): Promise<TickResult> {
  const registry = await findConfigured(deps.config, tick.registry);
  if (registry === undefined) return { state: 'unknown-registry' };
  if (await deps.quietTicks?.settle(registry, tick, stop)) {
    deps.observer.tickQuiet();
    return { state: 'quiet' };
  }
  const places: Places = {};
  let attempt: Attempt = tick;
  try {
    for (;;) {
      const result = await runOnce(deps, attempt, { stop, places });
      if (result.state !== 'crowded') return result;
      // Others may run this registry while we wait: the lease is free, and the request is counted.
      const waited = await waitForPlace(deps, tick, { crowd: result.crowd, places, stop });
      if (waited !== undefined) return waited;
      attempt = { ...tick, wish: result.wish, waitingSinceMs: result.sinceMs };
    }
  } finally {
    releasePlaces(places);
  }
}

type Attempted =
  | TickResult
  | {
      readonly state: 'crowded';
      readonly crowd: Crowd;
      readonly wish: Tick['wish'];
      readonly sinceMs: number;
    };

async function runOnce(
  deps: SyncDependencies,
  tick: Attempt,
  { stop, places }: { stop: AbortSignal; places: Places },
): Promise<Attempted> {
  const acquisition = await acquire(deps, tick);
  if (acquisition.state === 'answered') return { state: 'answered' };
  if (acquisition.state === 'busy') {
    if (tick.wish.kind === 'tick') deps.observer.overlapSkipped(tick.trigger);
    return { state: 'busy' };
  }

  const registry = deps.config.registry(tick.registry);
  if (registry === undefined) {
    await giveBack(deps, acquisition);
    return { state: 'unknown-registry' };
  }
  if (isAnswered(tick, registry, acquisition)) {
    const { openRequest: request } = await giveBack(deps, acquisition);
    if (request === undefined) return { state: 'answered' };
    return runOnce(deps, { ...tick, wish: { kind: 'hint', request } }, { stop, places });
  }
  const { context, end } = startRun(deps, { tick, registry, acquisition, stop });
  const random = deps.random();
  let ending = interrupted('ended before it could say how');
  let decision: SyncDecision | undefined;
  let crowd: Crowd | undefined;
  try {
    // The lease may be over by the time that we hear of it.
    context.signal.throwIfAborted();
    if (isPoisoned(context)) {
      ending = poisoned(context, { random });
    } else {
      crowd = takeTurn(deps, context, places);
      if (crowd === undefined) {
        decision = await decide(deps, context);
        ({ ending, crowd } = await act(deps, context, { decision, places }));
      } else {
        ending = untouched(context);
      }
    }
  } catch (error) {
    ending = endedByError(context, error, { random, reason: decision?.reason });
  }
  // The only place where a run's status is written, and it is written whatever happened above.
  return finish(deps, { context, ending, end, crowd });
}

/** Frees a lease under which nothing was done. */
async function giveBack(
  { runStore }: SyncDependencies,
  { lease, status }: Acquired,
): Promise<{ openRequest?: number | undefined }> {
  const changes = { startsWithoutFinish: startsBefore(status), phase: settledPhase(status) };
  const finished = await runStore.finish(lease, { changes });
  return finished.state === 'finished' ? finished : {};
}

async function decide(deps: SyncDependencies, context: RunContext): Promise<SyncDecision> {
  const { manager, processRuns } = deps;
  // What hangs would hang again, and hold still more of the process.
  if (processRuns.stragglers.has(context.registry.name)) {
    throw new SynclineError('run-timeout', 'an earlier run still hangs in the same process');
  }
  return context.timePhase('decide', () => watch(deps, context, manager.shouldSync(context)));
}

async function act(
  deps: SyncDependencies,
  context: RunContext,
  { decision, places }: { decision: SyncDecision; places: Places },
): Promise<{ ending: Ending; crowd: Crowd | undefined }> {
  if (!decision.sync) return { ending: notNeeded(context, decision), crowd: undefined };
  context.report(`syncing: ${decision.reason}`);
  const { slot } = places;
  const performing = deps.manager.performSync(context, decision, { slot });
  const result = await watch(deps, context, performing);
  return result.state === 'crowded'
    ? { ending: untouched(context), crowd: { place: 'slot', whenFree: result.whenFree } }
    : { ending: performed(context, decision, result), crowd: undefined };
}

/** Ends with the signal of its run, also where the work does not. */
function watch<Result>(
  { processRuns: { stragglers } }: SyncDependencies,
  { registry, signal }: RunContext,
  work: Promise<Result>,
): Promise<Result> {
  return stragglers.watch(registry.name, work, signal);
}

async function finish(
  deps: SyncDependencies,
  run: {
    context: RunContext;
    ending: Ending;
    end: () => void;
    crowd: Crowd | undefined;
  },
): Promise<Attempted> {
  const { context, crowd } = run;
  let written: Awaited<ReturnType<typeof write>>;
  try {
    written = await context.timePhase('finish', () => write(deps, run));
  } finally {
    run.end();
  }
  const { finished, record, changes } = written;
  if (crowd !== undefined) {
    const { requested, handled } = context.control;
    const wish: Tick['wish'] =
      requested > handled ? { kind: 'hint', request: requested } : { kind: 'tick' };
    return { state: 'crowded', crowd, wish, sinceMs: context.startedAtMs };
  }
  if (finished.state === 'refused') deps.observer.fencedWriteRefused();
  if (finished.state === 'finished') remember(deps, context, changes);
  const told =
    finished.state === 'finished' ? record : { ...record, outcome: 'interrupted' as const };
  deps.observer.runFinished(told);
  logRun(context, told);
  const openRequest = finished.state === 'finished' ? finished.openRequest : undefined;
  const followers = told.outcome === 'published' ? findFollowers(deps, context) : [];
  return {
    state: 'ran',
    run: told,
    followers,
    ...(openRequest === undefined ? {} : { openRequest }),
  };
}

function findFollowers({ config }: SyncDependencies, { registry }: RunContext): string[] {
  const current = config.current();
  return current === undefined ? [] : followersOf(current, registry.name);
}

/**
 * Writes how a run ended: as a failure, where the store has lost parts of what was to be published, or where
 * keys of ours hold what is not ours.
 */
async function write(
  deps: SyncDependencies,
  { context, ending, crowd }: Pick<Parameters<typeof finish>[1], 'context' | 'ending' | 'crowd'>,
): Promise<{ finished: Finished; record: Run; changes: StatusChanges }> {
  const durationMs = Math.max(0, Math.round(context.now() - context.startedAtMs));
  const record = runRecord(context, ending, { durationMs });
  const keepsRecord = crowd === undefined && isWorthARecord(context, ending);
  const changes = statusChanges(context, ending, { durationMs });
  const fail = (error: SynclineError) =>
    failed(context, error, { random: deps.random(), reason: record.reason });
  try {
    const finished = await writeEnding(deps, context, {
      ending: {
        changes,
        handledRequest: record.handledRequest,
        ...(keepsRecord ? { run: record } : {}),
      },
      publication: ending.publication,
    });
    if (finished.state !== 'incomplete') return { finished, record, changes };
    const { name } = context.registry;
    const error = new SynclineError('snapshot-incomplete', `${name} lacks ${finished.missing}`);
    return await write(deps, { context, ending: fail(error), crowd });
  } catch (error) {
    if (!(error instanceof SynclineError) || error.code !== 'store-corrupt') throw error;
    return writeStatusAlone(deps, context, { ending: fail(error), durationMs });
  }
}

/** What can be said where neither run log nor snapshot can be written: the status, which lies elsewhere. */
async function writeStatusAlone(
  deps: SyncDependencies,
  context: RunContext,
  { ending, durationMs }: { ending: Ending; durationMs: number },
): Promise<{ finished: Finished; record: Run; changes: StatusChanges }> {
  const record = runRecord(context, ending, { durationMs });
  const changes = statusChanges(context, ending, { durationMs });
  const { handledRequest } = record;
  const finished = await writeEnding(deps, context, {
    ending: { changes, handledRequest },
    publication: undefined,
  });
  return { finished, record, changes };
}

/** A scheduled tick that finds what the one before it found is no news; the status counts it. */
function isWorthARecord({ trigger, status, control }: RunContext, { outcome }: Ending): boolean {
  if (trigger !== 'schedule' || control.requested > control.handled) return true;
  const isQuiet = outcome === 'unchanged' || outcome === 'skipped';
  return !isQuiet || (outcome === 'unchanged' && status.consecutiveFailures > 0);
}

async function findConfigured(config: ConfigSource, name: string) {
  const found = config.registry(name);
  if (found !== undefined) return found;
  await config.refresh();
  return config.registry(name);
}

/** A change of the config brings hints of its own; scheduled ticks need not look for it each. */
const SCHEDULED_CONFIG_AGE_MS = 1_000;

/** The lease, and the config as of that moment, in one round trip. */
async function acquire(
  { runStore, config, owner, times, clock }: SyncDependencies,
  { registry, wish, trigger }: Tick,
): Promise<Acquisition & { askedAt: Moment }> {
  const askedAt = momentOf(clock);
  const [acquisition] = await Promise.all([
    runStore.acquire({ registry, owner, ttlMs: times.leaseTtlMs, wish }),
    config.refresh({ maxAgeMs: trigger === 'schedule' ? SCHEDULED_CONFIG_AGE_MS : 0 }),
  ]);
  return { ...acquisition, askedAt };
}

function remember(
  { quietTicks }: SyncDependencies,
  { registry, lease, status: before, startedAtMs: nowMs }: RunContext,
  changes: StatusChanges,
): void {
  const status = changeStatus(before, { ...changes, term: lease.term });
  quietTicks?.remember(registry, { status, nowMs });
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
