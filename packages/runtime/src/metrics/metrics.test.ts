import type { Run } from '@syncline/contract';
import { beforeEach, expect, test } from 'vitest';
import { createMetrics, type Metrics } from './metrics.ts';

let metrics: Metrics;
beforeEach(() => {
  metrics = createMetrics();
});

/** Returns the value of one time series; `undefined` if it does not exist. */
async function sampleOf(series: string): Promise<number | undefined> {
  const { body } = await metrics.expose();
  const line = body.split('\n').find((candidate) => candidate.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length + 1));
}

const run: Run = {
  id: 'official:1',
  registry: 'official',
  term: '1',
  owner: 'worker-1',
  trigger: 'schedule',
  reason: 'source-data-changed',
  outcome: 'published',
  startedAt: '2026-01-01T00:00:00.000Z',
  finishedAt: '2026-01-01T00:00:02.000Z',
  durationMs: 2_000,
  handledRequest: 0,
  upstream: { requests: 3, bytes: 4_096 },
  diff: { added: 5, updated: 2, removed: 1, samples: { added: [], updated: [], removed: [] } },
  quarantined: { count: 4, samples: [] },
};

test('a run is counted by outcome, reason and trigger, with its cost and its changes', async () => {
  metrics.runFinished(run);
  const labels = 'outcome="published",reason="source-data-changed",trigger="schedule"';
  expect(await sampleOf(`syncline_runs_total{${labels}}`)).toBe(1);
  expect(await sampleOf('syncline_run_duration_seconds_sum{outcome="published"}')).toBe(2);
  expect(await sampleOf('syncline_upstream_requests_total')).toBe(3);
  expect(await sampleOf('syncline_upstream_bytes_total')).toBe(4_096);
  expect(await sampleOf('syncline_rows_changed_total{change="added"}')).toBe(5);
  expect(await sampleOf('syncline_rows_changed_total{change="updated"}')).toBe(2);
  expect(await sampleOf('syncline_rows_changed_total{change="removed"}')).toBe(1);
  expect(await sampleOf('syncline_rows_quarantined_total')).toBe(4);
});

test('a run that published nothing counts no changed rows', async () => {
  const { reason: _reason, ...withoutReason } = run;
  metrics.runFinished({ ...withoutReason, outcome: 'held' });
  expect(await sampleOf('syncline_rows_changed_total{change="removed"}')).toBeUndefined();
  const labels = 'outcome="held",reason="none",trigger="schedule"';
  expect(await sampleOf(`syncline_runs_total{${labels}}`)).toBe(1);
});

test('phases, lateness and requests are measured in seconds', async () => {
  metrics.phaseFinished('fetch', 1_500);
  metrics.tickLate(250);
  metrics.tickLate(-40);
  metrics.httpRequest({ method: 'GET', route: '/v1/registries', status: 200, durationMs: 20 });
  expect(await sampleOf('syncline_run_phase_duration_seconds_sum{phase="fetch"}')).toBe(1.5);
  expect(await sampleOf('syncline_tick_lateness_seconds_sum')).toBe(0.25);
  expect(await sampleOf('syncline_tick_lateness_seconds_count')).toBe(2);
  const labels = 'method="GET",route="/v1/registries",status="200"';
  expect(await sampleOf(`syncline_http_request_duration_seconds_sum{${labels}}`)).toBe(0.02);
});

test('overlaps, refused writes, failed renewals and repairs are counted', async () => {
  metrics.overlapSkipped('schedule');
  metrics.fencedWriteRefused();
  metrics.renewalFailed();
  metrics.reconcileRepaired('missing', 3);
  expect(await sampleOf('syncline_overlaps_skipped_total{trigger="schedule"}')).toBe(1);
  expect(await sampleOf('syncline_fenced_writes_refused_total')).toBe(1);
  expect(await sampleOf('syncline_lease_renewals_failed_total')).toBe(1);
  expect(await sampleOf('syncline_reconcile_repairs_total{kind="missing"}')).toBe(3);
});

test('ages are read at each scrape, and removed registries disappear', async () => {
  let ages = new Map([
    ['official', 12],
    ['local', 3],
  ]);
  const stop = metrics.onScrape(async () => ages);
  expect(await sampleOf('syncline_registry_age_seconds{registry="official"}')).toBe(12);
  ages = new Map([['local', 4]]);
  expect(await sampleOf('syncline_registry_age_seconds{registry="official"}')).toBeUndefined();
  expect(await sampleOf('syncline_registry_age_seconds{registry="local"}')).toBe(4);
  stop();
  expect(await sampleOf('syncline_registry_age_seconds{registry="local"}')).toBeUndefined();
});

test('a scrape succeeds even if the ages cannot be read', async () => {
  metrics.onScrape(() => Promise.reject(new Error('Redis is away')));
  metrics.onScrape(async () => new Map([['local', 4]]));
  expect(await sampleOf('syncline_registry_age_seconds{registry="local"}')).toBe(4);
  expect(await sampleOf('syncline_scrape_errors_total')).toBeGreaterThan(0);
});

test('stored bytes are read at each scrape, with their limit', async () => {
  let registries = new Map([['official', 20_000]]);
  const stop = metrics.onScrapeOfStoredBytes({
    registries: async () => registries,
    limit: async () => 50_000,
  });
  expect(await sampleOf('syncline_stored_bytes{registry="official"}')).toBe(20_000);
  expect(await sampleOf('syncline_stored_bytes_limit')).toBe(50_000);
  registries = new Map([['local', 4]]);
  expect(await sampleOf('syncline_stored_bytes{registry="official"}')).toBeUndefined();
  stop();
  expect(await sampleOf('syncline_stored_bytes{registry="local"}')).toBeUndefined();
});

test('process metrics are included, in the Prometheus format', async () => {
  const { contentType, body } = await metrics.expose();
  expect(contentType).toMatch(/^text\/plain; version=0\.0\.4/);
  expect(body).toContain('process_cpu_seconds_total');
  expect(body).toContain('nodejs_eventloop_lag_seconds');
  expect(body).toMatch(/syncline_build_info\{version="\d+\.\d+\.\d+"\} 1/);
});

test('two sets of metrics are independent', async () => {
  createMetrics().renewalFailed();
  expect(await sampleOf('syncline_lease_renewals_failed_total')).toBe(0);
});
