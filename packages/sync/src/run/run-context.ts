import {
  type Control,
  fencingToken,
  type Lease,
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

/** Progress of a long run is worth a write this often. */
const REPORT_EVERY_MS = 2_000;

/**
 * Everything that one run needs: its signal, its clock, its logger. `end` must be called when the run's
 * status is written: until then the lease is renewed.
 */
export function startRun(
  deps: SyncDependencies,
  {
    tick,
    registry,
    acquisition,
    askedAt,
    stop,
    checked,
  }: {
    tick: Tick;
    registry: RegistryConfig;
    acquisition: Acquired;
    /** When the lease was asked for. */
    askedAt: Moment;
    stop: AbortSignal;
    /** What the tick has asked already. */
    checked: NoOpCheck | undefined;
  },
): { context: RunContext; end: () => void } {
  const { clock } = deps;
  const { lease, nowMs, control } = acquisition;
  // Redis's clock, carried on by one that never jumps.
  const acquiredAtMs = clock.monotonic();
  const now = () => nowMs + (clock.monotonic() - acquiredAtMs);

  const run = new AbortController();
  const timeoutMs = registry.syncPolicy.timeout;
  const timer = setTimeout(() => {
    run.abort(new SynclineError('run-timeout', `the run took longer than ${timeoutMs} ms`));
  }, timeoutMs);
  const onStop = () => run.abort(new Interruption('stopping', 'the process was told to stop'));
  if (stop.aborted) onStop();
  else stop.addEventListener('abort', onStop, { once: true });
  const held = deps.keeper.hold(lease, {
    askedAt,
    abort: (reason) => run.abort(reason),
  });

  const releases: (() => void)[] = [];
  const trigger = effectiveTrigger(tick, { registry, control });
  const context: RunContext = {
    registry,
    lease,
    status: acquisition.status,
    control,
    trigger,
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
    onEnd: (release) => void releases.push(release),
  };
  return {
    context,
    end: () => {
      clearTimeout(timer);
      stop.removeEventListener('abort', onStop);
      held.release();
      for (const release of releases) release();
    },
  };
}

/** What a run is for: a request that is open is answered by whatever run comes first. */
function effectiveTrigger(
  { trigger }: Tick,
  { registry, control }: { registry: RegistryConfig; control: Control },
): Trigger {
  const isRequest = trigger === 'manual' || trigger === 'webhook' || trigger === 'change';
  if (isRequest || control.requested <= control.handled) return trigger;
  return registry.catalog === undefined ? 'manual' : 'change';
}

/** Writes what the run is at into the status, now and then; the run does not wait for it. */
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
