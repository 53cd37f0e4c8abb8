import type { Run, Trigger } from '@syncline/contract';
import type { Registry } from 'prom-client';
import { Counter, Histogram } from './prom-client.ts';

/** What runs and their scheduling leave behind. The first seven are the domain's `RunObserver`. */
export interface RunMetrics {
  runFinished(run: Run): void;
  /** A scheduled tick that found nothing to do without a run; it counts as a run that was unchanged. */
  tickNoOp(): void;
  phaseFinished(phase: string, durationMs: number): void;
  /** A tick that found its registry being synced already. */
  overlapSkipped(trigger: Trigger): void;
  /** How long after its time a tick began. */
  tickLate(latenessMs: number): void;
  fencedWriteRefused(): void;
  renewalFailed(): void;
  /** @param state what a preview came to, or `failed` */
  previewFinished(state: string): void;
  /** Differences between what was wanted and what was there, put right by the reconcile loop. */
  reconcileRepaired(kind: string, count: number): void;
}

// From a cheap check that finds nothing new to a full walk of a large registry.
const RUN_BUCKETS_SECONDS = [0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 900];
// From an idle fleet to one that cannot keep up.
const LATENESS_BUCKETS_SECONDS = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 1800];

export function createRunMetrics(register: Registry): RunMetrics {
  const registers = [register];
  const counter = <Label extends string = never>(
    name: string,
    help: string,
    labels: Label[] = [],
  ) => new Counter<Label>({ name: `syncline_${name}`, help, labelNames: labels, registers });

  const phases = new Histogram({
    name: 'syncline_run_phase_duration_seconds',
    help: 'How long the parts of a run took.',
    labelNames: ['phase'],
    buckets: RUN_BUCKETS_SECONDS,
    registers,
  });
  const lateness = new Histogram({
    name: 'syncline_tick_lateness_seconds',
    help: 'How long after its time a tick began.',
    buckets: LATENESS_BUCKETS_SECONDS,
    registers,
  });
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
  return {
    ...createRunCounters(register),
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

function createRunCounters(register: Registry): Pick<RunMetrics, 'runFinished' | 'tickNoOp'> {
  const registers = [register];
  const runs = new Counter({
    name: 'syncline_runs_total',
    help: 'Runs, by how they ended, why they did or did not fetch, and what made them start.',
    labelNames: ['outcome', 'reason', 'trigger'],
    registers,
  });
  const durations = new Histogram({
    name: 'syncline_run_duration_seconds',
    help: 'How long runs took, from lease to status.',
    labelNames: ['outcome'],
    buckets: RUN_BUCKETS_SECONDS,
    registers,
  });
  const requests = new Counter({
    name: 'syncline_upstream_requests_total',
    help: 'Requests made to upstreams.',
    registers,
  });
  const bytes = new Counter({
    name: 'syncline_upstream_bytes_total',
    help: 'Bytes read from upstreams.',
    registers,
  });
  const rows = new Counter({
    name: 'syncline_rows_changed_total',
    help: 'Rows that runs added, updated and removed.',
    labelNames: ['change'],
    registers,
  });
  const quarantined = new Counter({
    name: 'syncline_rows_quarantined_total',
    help: 'Rows left out because they are not valid; counted in each run that read them.',
    registers,
  });
  // Its labels never change: looking them up once is most of what counting costs.
  const quiet = runs.labels('unchanged', 'up-to-date-with-policy', 'schedule');
  return {
    tickNoOp: () => quiet.inc(),
    runFinished: (run) => {
      const { outcome, reason = 'none', trigger, diff } = run;
      runs.inc({ outcome, reason, trigger });
      durations.observe({ outcome }, run.durationMs / 1_000);
      requests.inc(run.upstream.requests);
      bytes.inc(run.upstream.bytes);
      quarantined.inc(run.quarantined?.count ?? 0);
      // What is held back has a diff too, but has changed nothing that is served.
      if (diff === undefined || outcome !== 'published') return;
      for (const change of ['added', 'updated', 'removed'] as const) {
        rows.inc({ change }, diff[change]);
      }
    },
  };
}
