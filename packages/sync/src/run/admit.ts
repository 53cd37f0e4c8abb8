import {
  type Control,
  fencingToken,
  type Lease,
  onAbort,
  type RegistryConfig,
  SynclineError,
  type Trigger,
} from '@syncline/contract';
import type { SemaphoreSlot } from '../capacity/capacity.ts';
import type { SyncDecision } from '../perform/manager.ts';
import type { RunContext } from '../ports/run-context.ts';
import type { Acquired, LeasePurpose } from '../ports/run-store.ts';
import type { Refusal, Tick } from '../ports/tick-source.ts';
import { Interruption, type Moment, momentOf } from './lease-keeper.ts';
import type { NoOpCheck } from './no-op-ticks.ts';
import type { SyncDependencies } from './sync-dependencies.ts';

/** A run that holds its lease. */
export interface AdmittedRun {
  readonly context: RunContext;
  /** What the tick decided before the lease was taken, if nothing has happened since. */
  readonly checked: SyncDecision | undefined;
  /** Must be called when the outcome is written. Until then the lease is renewed. */
  readonly end: () => void;
}

export type Admission = { readonly state: 'admitted'; readonly run: AdmittedRun } | Refusal;

/** A long run writes its progress into the status this often. */
const REPORT_EVERY_MS = 2_000;
/** A tick is superseded if it follows a run by less than this, and by less than half an interval. */
const SUPERSEDED_WITHIN_MS = 30_000;
/** A change of the config adds wake-ups, so a scheduled tick need not read the config again. */
const SCHEDULED_CONFIG_AGE_MS = 1_000;

/**
 * Turns a tick into a run, unless something prevents that: an unknown registry, nothing to do, a busy lease, a handled
 * request, a superseded tick, poison isolation, a process that stops.
 */
export async function admit(
  deps: SyncDependencies,
  tick: Tick,
  stop: AbortSignal,
): Promise<Admission> {
  const { capacity, clock, noOpTicks, observer, owner, runStore, times } = deps;
  const { isolation } = capacity;
  const registry = await findConfigured(deps, tick);
  if (registry === undefined) return { state: 'unknown-registry' };
  const { name } = registry;
  const check = await noOpTicks?.check(registry, tick, stop);
  if (check?.isNoOp === true) {
    observer.tickNoOp();
    return { state: 'no-op' };
  }
  let purpose = purposeOf(tick, registry);
  let turn: SemaphoreSlot | undefined;
  for (;;) {
    const askedAt = momentOf(clock);
    const acquisition = await runStore
      .acquire({
        registry: name,
        purpose,
        isIsolated: turn !== undefined,
        owner,
        ttlMs: times.leaseTtlMs,
      })
      .catch((error: unknown) => {
        turn?.release();
        throw error;
      });
    if (acquisition.state === 'acquired') {
      const checked = isStillValid(check, acquisition) ? check : undefined;
      return admitted(deps, { tick, registry, acquisition, askedAt, stop, checked }, turn);
    }
    turn?.release();
    if (acquisition.state !== 'isolate') return refuse(deps, tick, acquisition.state);
    if (isolation.isWaiting(name)) return refuse(deps, tick, 'busy');
    const { openRequest } = acquisition;
    if (openRequest > 0) purpose = { kind: 'wake-up', request: openRequest };
    try {
      turn = await isolation.enter(name, stop);
    } catch {
      return { state: 'stopped' };
    }
  }
}

function admitted(
  deps: SyncDependencies,
  start: RunStart,
  turn: SemaphoreSlot | undefined,
): Admission {
  const { context, end } = startRun(deps, start);
  if (turn !== undefined) context.onEnd(deps.capacity.isolation.limit(turn));
  return { state: 'admitted', run: { context, checked: start.checked?.decision, end } };
}

function refuse(
  { observer }: SyncDependencies,
  { purpose, trigger }: Tick,
  state: Refusal['state'],
): Refusal {
  if (state === 'busy' && purpose.kind === 'tick') observer.overlapSkipped(trigger);
  return { state };
}

/** Returns the registry as the config in force has it. */
async function findConfigured({ config }: SyncDependencies, { registry, trigger }: Tick) {
  await config.refresh({ maxAgeMs: trigger === 'schedule' ? SCHEDULED_CONFIG_AGE_MS : 0 });
  const found = config.registry(registry);
  if (found !== undefined || trigger !== 'schedule') return found;
  await config.refresh();
  return config.registry(registry);
}

/** A run supersedes a recurring tick that comes soon after it. The tick of a cron pattern may be the only one a day. */
function purposeOf(
  { purpose, trigger, recurs }: Tick,
  { schedule, syncPolicy }: RegistryConfig,
): LeasePurpose {
  const canBeSuperseded =
    purpose.kind === 'tick' && trigger === 'schedule' && recurs === true && schedule === undefined;
  if (!canBeSuperseded) return purpose;
  const supersededWithinMs = Math.min(SUPERSEDED_WITHIN_MS, syncPolicy.interval / 2);
  return { kind: 'tick', supersededWithinMs };
}

/** Whether a check made without the lease is valid under it: no run since, no open request, not paused. */
function isStillValid(
  check: NoOpCheck | undefined,
  { status, control }: Acquired,
): check is NoOpCheck & { decision: SyncDecision } {
  return (
    check?.decision !== undefined &&
    check.term === status.term &&
    control.requested <= control.handled &&
    !control.suspended &&
    control.pinned === undefined
  );
}

interface RunStart {
  readonly tick: Tick;
  readonly registry: RegistryConfig;
  readonly acquisition: Acquired;
  /** When the lease was asked for. */
  readonly askedAt: Moment;
  readonly stop: AbortSignal;
  /** The result of asking the source before the lease was taken. */
  readonly checked: NoOpCheck | undefined;
}

/**
 * Makes the context of one run: its signal, its clock, its logger. `end` must be called when the status of the run is
 * written: until then the lease is renewed.
 */
function startRun(
  deps: SyncDependencies,
  { tick, registry, acquisition, askedAt, stop, checked }: RunStart,
): { context: RunContext; end: () => void } {
  const { clock } = deps;
  const { lease, nowMs, control } = acquisition;
  // The store's clock, continued by the monotonic clock of this process.
  const acquiredAtMs = clock.monotonic();
  const now = () => nowMs + (clock.monotonic() - acquiredAtMs);

  const run = new AbortController();
  const timeoutMs = registry.syncPolicy.timeout;
  const timer = setTimeout(() => {
    run.abort(new SynclineError('run-timeout', `the run took longer than ${timeoutMs} ms`));
  }, timeoutMs);
  const listening = onAbort(stop, () =>
    run.abort(new Interruption('stopping', 'the process was told to stop')),
  );
  const release = deps.keeper.hold(lease, { askedAt, abort: (reason) => run.abort(reason) });
  const callbacks = [release];
  const context: RunContext = {
    registry,
    lease,
    status: acquisition.status,
    control,
    trigger: effectiveTrigger(tick, { registry, control }),
    force: tick.force || (control.force && control.requested > control.handled),
    startedAtMs: nowMs,
    signal: run.signal,
    now,
    upstream: checked?.upstream ?? { requests: 0, bytes: 0 },
    credentials: checked?.credentials ?? new Set(),
    logger: deps.logger,
    timePhase: async (phase, work) => {
      const startedAtMs = clock.monotonic();
      try {
        return await work();
      } finally {
        deps.observer.phaseFinished(phase, clock.monotonic() - startedAtMs);
      }
    },
    report: createReporter(deps, lease),
    onEnd: (callback) => void callbacks.push(callback),
  };
  return {
    context,
    end: () => {
      clearTimeout(timer);
      listening[Symbol.dispose]();
      for (const callback of callbacks) callback();
    },
  };
}

/** Returns why the run is started: any run answers an open request. */
function effectiveTrigger(
  { trigger }: Tick,
  { registry, control }: { registry: RegistryConfig; control: Control },
): Trigger {
  const isRequest = trigger === 'manual' || trigger === 'webhook' || trigger === 'change';
  if (isRequest || control.requested <= control.handled) return trigger;
  return registry.catalog === undefined ? 'manual' : 'change';
}

/** Writes the progress of the run into the status from time to time. The run does not wait for it. */
function createReporter(
  { status, clock, logger }: SyncDependencies,
  lease: Lease,
): RunContext['report'] {
  let reportedAtMs = Number.NEGATIVE_INFINITY;
  return (message) => {
    const nowMs = clock.monotonic();
    if (nowMs - reportedAtMs < REPORT_EVERY_MS) return;
    reportedAtMs = nowMs;
    logger.info({ registry: lease.registry, term: lease.term }, message);
    status
      .save(lease.registry, { message }, { expected: fencingToken(lease) })
      .catch((error: unknown) => logger.warn({ err: error }, 'could not save the status'));
  };
}
