import { expect, test } from 'vitest';
import { testLifetime } from '../support/lifetime.ts';
import { OPS_ENV, opsUrl, readMetrics, type Samples, sumOf } from '../support/ops.ts';
import { writeRegistryFile } from '../support/registry-file.ts';
import { generateRows } from '../support/rows/generate.ts';
import { startSystem } from '../support/system.ts';
import { until } from '../support/until.ts';
import { untilComplete, untilRegistry } from '../support/until-registry.ts';
import { startUpstream } from '../support/upstream.ts';

const ROWS = generateRows({ count: 250, seed: 81 });

test('the metrics of the api and the workers count what happened', async () => {
  const upstream = await startUpstream({
    rows: [...ROWS, { server: { name: 'x/y', version: '' } }],
  });
  const { path } = await writeRegistryFile(ROWS);
  const config = {
    registries: [
      { name: 'ticking', file: { path }, syncPolicy: { interval: '1s' } },
      { name: 'walked', api: { endpoint: upstream.url } },
      { name: 'missing', file: { path: `${path}.missing` } },
    ],
  };
  const startedAtMs = performance.now();
  const system = await startSystem({ config, env: OPS_ENV });
  const { client } = system;
  await untilComplete(client, 'walked');
  await untilRegistry(client, 'missing', ({ status }) => status.phase === 'Failed');
  await untilRegistry(
    client,
    'ticking',
    ({ status }) => status.reason === 'up-to-date-with-policy',
    { what: 'a tick without changes' },
  );
  const gate = upstream.hold();
  testLifetime.defer(() => gate.release());
  await client.post('/v1/registries/walked/sync');
  await gate.arrived;
  gate.release();
  await untilRegistry(client, 'walked', ({ status }) => status.phase === 'Complete');

  const readWorkers = () =>
    Promise.all(system.workers.map(async (worker) => readMetrics(await opsUrl(worker))));
  let workers = await readWorkers();
  const sum = (name: string, ...labels: string[]) =>
    workers.reduce((total, samples) => total + sumOf(samples, `syncline_${name}`, ...labels), 0);
  // A worker counts a run only after the store has recorded its end.
  await until(
    async () => {
      workers = await readWorkers();
      return sum('rows_quarantined_total') === 2;
    },
    { what: 'both walks to be counted' },
  );
  const published = 'outcome="published"';
  // A scheduled tick may come before the wake-up of the start.
  expect(sum('runs_total', published)).toBe(2);
  expect(sum('runs_total', published, 'trigger="startup"')).toBeGreaterThan(0);
  expect(sum('runs_total', 'outcome="failed"', 'reason="registry-not-ready"')).toBeGreaterThan(0);
  expect(sum('run_duration_seconds_count', published)).toBe(2);
  expect(sum('run_phase_duration_seconds_count', 'phase="fetch"')).toBeGreaterThanOrEqual(4);
  expect(sum('tick_lateness_seconds_count')).toBeGreaterThan(0);
  // Three pages, twice; and the file.
  expect(sum('upstream_requests_total')).toBeGreaterThanOrEqual(7);
  expect(sum('upstream_bytes_total')).toBeGreaterThan(100_000);
  expect(sum('rows_changed_total', 'change="added"')).toBe(2 * ROWS.length);
  for (const samples of workers) expectNames(samples, WORKER_NAMES);

  const [scheduler] = system.schedulers;
  if (scheduler === undefined) throw new Error('expected a scheduler');
  const reconciled = await readMetrics(await opsUrl(scheduler));
  expect(sumOf(reconciled, 'syncline_reconcile_repairs_total', 'kind="added"')).toBe(3);

  const api = await readMetrics(system.apiUrl);
  expectNames(api, ['syncline_build_info', 'process_cpu_seconds_total']);
  const age = sumOf(api, 'syncline_registry_age_seconds', 'registry="walked"');
  expect(age).toBeGreaterThan(0);
  expect(age).toBeLessThan((performance.now() - startedAtMs) / 1_000 + 1);
  const counted = 'syncline_http_request_duration_seconds_count';
  expect(sumOf(api, counted, 'method="POST"', 'status="202"')).toBe(1);
  expect(sumOf(api, counted, 'method="GET"', 'status="200"')).toBeGreaterThan(3);
  // Routes, not paths: otherwise names of registries would become label values without limit.
  expect([...api.keys()].filter((sample) => sample.startsWith(counted)).join()).not.toMatch(
    /route="[^"]*(walked|ticking)/,
  );
});

/** Metrics that exist even if their event has not happened. */
const WORKER_NAMES = [
  'syncline_build_info',
  'syncline_fenced_writes_refused_total',
  'syncline_lease_renewals_failed_total',
  'syncline_scrape_errors_total',
  'nodejs_eventloop_lag_p99_seconds',
  'process_resident_memory_bytes',
];

function expectNames(samples: Samples, names: readonly string[]): void {
  const found = new Set([...samples.keys()].map((sample) => sample.replace(/\{.*/, '')));
  for (const name of names) expect(found).toContain(name);
}
