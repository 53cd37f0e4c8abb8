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

/** A run that has its lease. */
export interface AdmittedRun {
  readonly context: RunContext;
  /** The tick's decision before it took the lease, if nothing has happened since. */
  readonly checked: SyncDecision | undefined;
  /** Ends the renewals. The caller must call it after writing the outcome. */
  readonly end: () => void;
}

export type Admission = { readonly state: 'admitted'; readonly run: AdmittedRun } | Refusal;

/** How often a long run may write its progress into the status. */
const REPORT_EVERY_MS = 2_000;
/** A run supersedes a tick within this time and within half an interval. */
const SUPERSEDED_WITHIN_MS = 30_000;
/** A change of the config adds wake-ups, so a scheduled tick need not read the config again. */
const SCHEDULED_CONFIG_AGE_MS = 1_000;

/**
 * Turns a tick into a run, unless something prevents it:
 * - an unknown registry, or nothing to do
 * - a busy lease, a handled request, or a superseded tick
 * - poison isolation, or a stopping process
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
  let isKept = false;
  using _memory = { [Symbol.dispose]: () => isKept || check?.memory[Symbol.dispose]() };
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
      isKept = checked !== undefined;
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

/** Returns the registry from the current config. */
async function findConfigured({ config }: SyncDependencies, { registry, trigger }: Tick) {
  await config.refresh({ maxAgeMs: trigger === 'schedule' ? SCHEDULED_CONFIG_AGE_MS : 0 });
  const found = config.registry(registry);
  if (found !== undefined || trigger !== 'schedule') return found;
  await config.refresh();
  return config.registry(registry);
}

/** Lets a recent run supersede a recurring tick. A cron pattern is exempt, because it may fire only once a day. */
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

/** Returns whether a check without the lease is still valid: no run since, no open request, not paused, still served. */
function isStillValid(
  check: NoOpCheck | undefined,
  { status, control, served }: Acquired,
): check is NoOpCheck & { decision: SyncDecision } {
  return (
    check?.decision !== undefined &&
    check.term === status.term &&
    served === status.snapshot &&
    control.requested <= control.handled &&
    !control.suspended &&
    control.pinned === undefined
  );
}

interface RunStart {
  readonly tick: Tick;
  readonly registry: RegistryConfig;
  readonly acquisition: Acquired;
  /** When the tick asked for the lease. */
  readonly askedAt: Moment;
  readonly stop: AbortSignal;
  /** The result of asking the source before the tick took the lease. */
  readonly checked: NoOpCheck | undefined;
}

/**
 * Creates the context of one run, with its signal, clock and logger. The caller must call `end` after writing the
 * status, because `end` stops the renewals of the lease.
 */
function startRun(
  deps: SyncDependencies,
  { tick, registry, acquisition, askedAt, stop, checked }: RunStart,
): { context: RunContext; end: () => void } {
  const { clock } = deps;
  const { lease, nowMs, control } = acquisition;
  // Starts at the store's clock and continues with the monotonic clock of this process.
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
  const report = createReporter(deps, lease);
  const memory = checked?.memory ?? deps.memory.open(registry.name);
  memory.onWait = report;
  const callbacks = [release, () => memory[Symbol.dispose]()];
  const context: RunContext = {
    registry,
    lease,
    status: acquisition.status,
    control,
    served: acquisition.served,
    trigger: effectiveTrigger(tick, { registry, control }),
    force: tick.force || (control.force && control.requested > control.handled),
    startedAtMs: nowMs,
    staging: { hasBegun: false },
    signal: run.signal,
    now,
    upstream: checked?.upstream ?? { requests: 0, bytes: 0 },
    memory,
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
    report,
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

/** Returns the run's trigger. The run answers any open request, so its trigger may differ from the tick's. */
function effectiveTrigger(
  { trigger }: Tick,
  { registry, control }: { registry: RegistryConfig; control: Control },
): Trigger {
  const isRequest = trigger === 'manual' || trigger === 'webhook' || trigger === 'change';
  if (isRequest || control.requested <= control.handled) return trigger;
  return registry.catalog === undefined ? 'manual' : 'change';
}

/** Creates a function that sometimes writes progress into the status. The run does not wait for the write. */
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
