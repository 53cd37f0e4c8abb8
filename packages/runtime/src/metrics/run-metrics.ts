import type { Run, Trigger } from '@syncline/contract';
import type { Registry } from 'prom-client';
import { Counter, Histogram } from 'prom-client';

/**
 * Metrics about runs and their scheduling. The first seven methods are the `RunObserver` of the
 * domain.
 */
export interface RunMetrics {
  runFinished(run: Run): void;
  /** Counts a no-op tick as an unchanged run. */
  tickNoOp(): void;
  phaseFinished(phase: string, durationMs: number): void;
  /** Counts a tick of a registry that is already being synced. */
  overlapSkipped(trigger: Trigger): void;
  /** Records how late a tick started. */
  tickLate(latenessMs: number): void;
  fencedWriteRefused(): void;
  renewalFailed(): void;
  /** Counts a finished preview. @param state the state of the preview, or `failed` */
  previewFinished(state: string): void;
  /** Counts differences between the config and Redis that the reconcile loop has repaired. */
  reconcileRepaired(kind: string, count: number): void;
}

// The range is from a cheap check without a change to a full walk of a large registry.
const RUN_BUCKETS_SECONDS = [0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 900];
// The range is from an idle fleet to an overloaded one.
const LATENESS_BUCKETS_SECONDS = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 1800];

export function createRunMetrics(register: Registry): RunMetrics {
  const registers = [register];
  const counter = <Label extends string = never>(
    name: string,
    help: string,
    labelNames: Label[] = [],
  ) => new Counter<Label>({ name: `syncline_${name}`, help, labelNames, registers });
  const histogram = <Label extends string = never>(
    name: string,
    help: string,
    options: { readonly buckets: number[]; readonly labelNames?: Label[] },
  ) => new Histogram<Label>({ name: `syncline_${name}`, help, ...options, registers });

  const runs = counter(
    'runs_total',
    'Runs, by outcome, by reason to fetch or not to fetch, and by trigger.',
    ['outcome', 'reason', 'trigger'],
  );
  const durations = histogram(
    'run_duration_seconds',
    'How long runs took, from acquiring the lease to saving the status.',
    {
      buckets: RUN_BUCKETS_SECONDS,
      labelNames: ['outcome'],
    },
  );
  const phases = histogram('run_phase_duration_seconds', 'How long the phases of a run took.', {
    buckets: RUN_BUCKETS_SECONDS,
    labelNames: ['phase'],
  });
  const lateness = histogram(
    'tick_lateness_seconds',
    'How long after its scheduled time a tick started.',
    {
      buckets: LATENESS_BUCKETS_SECONDS,
    },
  );
  const requests = counter('upstream_requests_total', 'Requests made to upstreams.');
  const bytes = counter('upstream_bytes_total', 'Bytes read from upstreams.');
  const rows = counter('rows_changed_total', 'Rows that runs added, updated and removed.', [
    'change',
  ]);
  const quarantined = counter(
    'rows_quarantined_total',
    'Invalid rows that were skipped. Each run that reads such a row counts it.',
  );
  const overlaps = counter(
    'overlaps_skipped_total',
    'Ticks skipped because another run of the registry was in progress.',
    ['trigger'],
  );
  const refused = counter(
    'fenced_writes_refused_total',
    'Writes refused because another run had taken over the lease.',
  );
  const renewals = counter('lease_renewals_failed_total', 'Lease renewals that failed.');
  const previews = counter('previews_total', 'Previews, by their result.', ['state']);
  const repairs = counter(
    'reconcile_repairs_total',
    'Repaired differences between the config and the schedules in Redis.',
    ['kind'],
  );
  // The labels never change. Looking them up each time would take longer than the counting.
  const noOps = runs.labels('unchanged', 'up-to-date-with-policy', 'schedule');
  return {
    tickNoOp: () => noOps.inc(),
    runFinished: (run) => {
      const { outcome, reason = 'none', trigger, diff } = run;
      runs.inc({ outcome, reason, trigger });
      durations.observe({ outcome }, run.durationMs / 1_000);
      requests.inc(run.upstream.requests);
      bytes.inc(run.upstream.bytes);
      quarantined.inc(run.quarantined?.count ?? 0);
      // A held snapshot also has a diff, but does not change the served rows.
      if (diff === undefined || outcome !== 'published') return;
      for (const change of ['added', 'updated', 'removed'] as const) {
        rows.inc({ change }, diff[change]);
      }
    },
    phaseFinished: (phase, durationMs) => phases.observe({ phase }, durationMs / 1_000),
    overlapSkipped: (trigger) => overlaps.inc({ trigger }),
    // Clocks differ, so a tick may seem early. Such a tick counts as on time.
    tickLate: (latenessMs) => lateness.observe(Math.max(0, latenessMs) / 1_000),
    fencedWriteRefused: () => refused.inc(),
    renewalFailed: () => renewals.inc(),
    previewFinished: (state) => previews.inc({ state }),
    reconcileRepaired: (kind, count) => repairs.inc({ kind }, count),
  };
}
