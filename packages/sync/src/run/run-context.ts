import {
  type Control,
  fencingToken,
  type Lease,
  onAbort,
  type RegistryConfig,
  SynclineError,
  type Trigger,
} from '@syncline/contract';
import type { RunContext } from '../ports/run-context.ts';
import type { Acquired } from '../ports/run-store.ts';
import type { Tick } from '../ports/tick-source.ts';
import { Interruption, type Moment } from './lease-keeper.ts';
import type { NoOpCheck } from './no-op-ticks.ts';
import type { SyncDependencies } from './sync-dependencies.ts';

/** A long run writes its progress into the status this often. */
const REPORT_EVERY_MS = 2_000;

export interface RunStart {
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
export function startRun(
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
