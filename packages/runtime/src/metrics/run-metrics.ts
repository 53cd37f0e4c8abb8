import type { Run, Trigger } from '@syncline/contract';
import type { Registry } from 'prom-client';
import { Counter, Histogram } from 'prom-client';

/** Metrics about runs and their scheduling. The first seven are the `RunObserver` of the domain. */
export interface RunMetrics {
  runFinished(run: Run): void;
  /** A no-op tick. It counts as an unchanged run. */
  tickNoOp(): void;
  phaseFinished(phase: string, durationMs: number): void;
  /** A tick of a registry that is being synced. */
  overlapSkipped(trigger: Trigger): void;
  /** How late a tick began. */
  tickLate(latenessMs: number): void;
  fencedWriteRefused(): void;
  renewalFailed(): void;
  /** @param state the state of the preview, or `failed` */
  previewFinished(state: string): void;
  /** Differences between the config and Redis that the reconcile loop has repaired. */
  reconcileRepaired(kind: string, count: number): void;
}

// From a cheap check without a change to a full walk of a large registry.
const RUN_BUCKETS_SECONDS = [0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 900];
// From an idle fleet to an overloaded one.
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
    'Runs, by how they ended, why they did or did not fetch, and what made them start.',
    ['outcome', 'reason', 'trigger'],
  );
  const durations = histogram('run_duration_seconds', 'How long runs took, from lease to status.', {
    buckets: RUN_BUCKETS_SECONDS,
    labelNames: ['outcome'],
  });
  const phases = histogram('run_phase_duration_seconds', 'How long the parts of a run took.', {
    buckets: RUN_BUCKETS_SECONDS,
    labelNames: ['phase'],
  });
  const lateness = histogram('tick_lateness_seconds', 'How long after its time a tick began.', {
    buckets: LATENESS_BUCKETS_SECONDS,
  });
  const requests = counter('upstream_requests_total', 'Requests made to upstreams.');
  const bytes = counter('upstream_bytes_total', 'Bytes read from upstreams.');
  const rows = counter('rows_changed_total', 'Rows that runs added, updated and removed.', [
    'change',
  ]);
  const quarantined = counter(
    'rows_quarantined_total',
    'Rows left out because they are not valid; counted in each run that read them.',
  );
  const overlaps = counter(
    'overlaps_skipped_total',
    'Ticks skipped because a run of the registry was under way.',
    ['trigger'],
  );
  const refused = counter(
    'fenced_writes_refused_total',
    'Writes refused because the lease had passed to another run.',
  );
  const renewals = counter('lease_renewals_failed_total', 'Lease renewals that failed.');
  const previews = counter('previews_total', 'Previews, by what they came to.', ['state']);
  const repairs = counter(
    'reconcile_repairs_total',
    'Differences between the config and the schedules in Redis that were put right.',
    ['kind'],
  );
  // The labels never change, and looking them up would be most of the cost of counting.
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
      // A held snapshot also has a diff, but changes nothing that is served.
      if (diff === undefined || outcome !== 'published') return;
      for (const change of ['added', 'updated', 'removed'] as const) {
        rows.inc({ change }, diff[change]);
      }
    },
    phaseFinished: (phase, durationMs) => phases.observe({ phase }, durationMs / 1_000),
    overlapSkipped: (trigger) => overlaps.inc({ trigger }),
    // Clocks differ: a tick that seems early is on time.
    tickLate: (latenessMs) => lateness.observe(Math.max(0, latenessMs) / 1_000),
    fencedWriteRefused: () => refused.inc(),
    renewalFailed: () => renewals.inc(),
    previewFinished: (state) => previews.inc({ state }),
    reconcileRepaired: (kind, count) => repairs.inc({ kind }, count),
  };
}
