import type { RegistryConfig } from '@syncline/contract';
import type { SemaphoreSlot } from '../capacity/semaphore.ts';
import type { SyncDecision } from '../perform/manager.ts';
import type { RunContext } from '../ports/run-context.ts';
import type { Acquired, LeasePurpose } from '../ports/run-store.ts';
import type { Refusal, Tick } from '../ports/tick-source.ts';
import { type Moment, momentOf } from './lease-keeper.ts';
import type { NoOpCheck } from './no-op-ticks.ts';
import { startRun } from './run-context.ts';
import type { SyncDependencies } from './sync-dependencies.ts';

/** A run that holds its lease. */
export interface AdmittedRun {
  readonly context: RunContext;
  /** What the tick decided before the lease was taken, if nothing has happened since. */
  readonly checked: SyncDecision | undefined;
  /** Must be called when the outcome is written: until then the lease is renewed. */
  readonly end: () => void;
}

export type Admission = { readonly state: 'admitted'; readonly run: AdmittedRun } | Refusal;

/** A tick that follows a run by less than this, or than half an interval, is a late one or an early one. */
const SUPERSEDED_WITHIN_MS = 30_000;
/** A change of the config brings wake-ups of its own, so that not every scheduled tick looks for it. */
const SCHEDULED_CONFIG_AGE_MS = 1_000;

/**
 * Everything that can keep a tick from becoming a run: an unknown registry, nothing to do, a busy lease, a handled
 * request, a superseded tick, poison isolation, a process that stops.
 */
export async function admit(
  deps: SyncDependencies,
  tick: Tick,
  stop: AbortSignal,
): Promise<Admission> {
  const registry = await findConfigured(deps, tick);
  if (registry === undefined) return { state: 'unknown-registry' };
  const check = await deps.noOpTicks?.check(registry, tick, stop);
  if (check?.isNoOp === true) {
    deps.observer.tickNoOp();
    return { state: 'no-op' };
  }
  let purpose = purposeOf(tick, registry);
  let turn: SemaphoreSlot | undefined;
  for (;;) {
    const isIsolated = turn !== undefined;
    const askedAt = momentOf(deps.clock);
    const acquisition = await acquire(deps, { registry: registry.name, purpose, isIsolated }).catch(
      (error: unknown) => {
        turn?.release();
        throw error;
      },
    );
    if (acquisition.state === 'acquired') {
      return admitted(deps, { tick, registry, acquisition, askedAt, stop, turn, check });
    }
    turn?.release();
    if (acquisition.state !== 'isolate') return refuse(deps, tick, acquisition);
    const { isolation } = deps.capacity;
    if (isolation.isWaiting(registry.name)) return refuse(deps, tick, { state: 'busy' });
    const { openRequest } = acquisition;
    if (openRequest > 0) purpose = { kind: 'wake-up', request: openRequest };
    try {
      turn = await isolation.enter(registry.name, stop);
    } catch {
      return { state: 'stopped' };
    }
  }
}

/** The registry as the config in force has it. */
async function findConfigured({ config }: SyncDependencies, { registry, trigger }: Tick) {
  await config.refresh({ maxAgeMs: trigger === 'schedule' ? SCHEDULED_CONFIG_AGE_MS : 0 });
  const found = config.registry(registry);
  if (found !== undefined || trigger !== 'schedule') return found;
  await config.refresh();
  return config.registry(registry);
}

/** A tick that comes again soon is superseded by a run just before it; that of a pattern may be the only one a day. */
function purposeOf(
  { purpose, trigger, recurs }: Tick,
  { schedule, syncPolicy }: RegistryConfig,
): LeasePurpose {
  const canBeSuperseded =
    purpose.kind === 'tick' && trigger === 'schedule' && recurs === true && schedule === undefined;
  if (!canBeSuperseded) return purpose;
  return {
    kind: 'tick',
    supersededWithinMs: Math.min(SUPERSEDED_WITHIN_MS, syncPolicy.interval / 2),
  };
}

function acquire(
  { runStore, owner, times }: SyncDependencies,
  asked: { registry: string; purpose: LeasePurpose; isIsolated: boolean },
) {
  return runStore.acquire({ ...asked, owner, ttlMs: times.leaseTtlMs });
}

function refuse(
  { observer }: SyncDependencies,
  { purpose, trigger }: Tick,
  { state }: Pick<Refusal, 'state'>,
): Refusal {
  if (state === 'busy' && purpose.kind === 'tick') observer.overlapSkipped(trigger);
  return { state };
}

function admitted(
  deps: SyncDependencies,
  {
    turn,
    check,
    ...start
  }: {
    tick: Tick;
    registry: RegistryConfig;
    acquisition: Acquired;
    askedAt: Moment;
    stop: AbortSignal;
    turn: SemaphoreSlot | undefined;
    check: NoOpCheck | undefined;
  },
): Admission {
  const checked = stillStands(check, start.acquisition) ? check : undefined;
  const { context, end } = startRun(deps, { ...start, checked });
  if (turn !== undefined) {
    const limited = deps.capacity.isolation.limit(turn);
    context.onEnd(() => limited[Symbol.dispose]());
  }
  return { state: 'admitted', run: { context, checked: checked?.decision, end } };
}

/** Whether a check made without the lease holds under it: no run since, and nobody wants anything else. */
function stillStands(
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
