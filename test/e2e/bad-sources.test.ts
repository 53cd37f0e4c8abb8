/**
 * One worker gets every kind of bad upstream at once. Each registry says what is wrong and keeps serving its copy,
 * the others are synced meanwhile, and the worker lives.
 */
import { type Run, runSchema } from '@syncline/contract';
import { expect, test } from 'vitest';
import type { ApiClient } from '../support/api-client.ts';
import { OPS_ENV, opsUrl, readMetrics } from '../support/ops.ts';
import { startScriptedServer } from '../support/scripted-server.ts';
import { type System, startSystem } from '../support/system.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { until } from '../support/until.ts';
import { untilComplete, untilRegistry } from '../support/until-registry.ts';
import {
  type BadSource,
  body,
  fileCases,
  GOOD,
  gitCases,
  goodAnd,
  goodBody,
  server,
  urlCases,
} from './bad-sources.cases.ts';

/** Memory that its threads keep. An endless body that is not aborted would take gigabytes. */
const MEMORY_MARGIN_MB = 300;

/** Starts a system with one registry for each case, one that is checked each second, and one that will hang. */
async function startAll() {
  const upstream = await startScriptedServer();
  const cases = [...urlCases(upstream), ...(await fileCases()), ...(await gitCases())];
  for (const name of ['hanging', 'steady']) upstream.answer(name, goodBody);
  const registries = [
    ...cases.map(({ name, config }) => ({ name, ...config, syncPolicy: { interval: '12h' } })),
    { name: 'hanging', file: { url: `${upstream.url}/hanging`, timeout: '10m' } },
    { name: 'steady', file: { url: `${upstream.url}/steady` }, syncPolicy: { interval: '1s' } },
  ];
  const system = await startSystem({
    config: { registries },
    workers: 1,
    env: { ...OPS_ENV, SYNCLINE_HEAVY_RUNS: '4', SYNCLINE_DATA_DIR: await temporaryDirectory() },
  });
  for (const { name } of registries) await untilComplete(system.client, name);
  return { system, cases, upstream };
}

test('a source that becomes bad in any way affects no other registry', async () => {
  const { system, cases, upstream } = await startAll();
  const { client } = system;
  const residentMbBefore = await residentMb(system);
  const before = new Map<string, string>();
  for (const { name } of cases) before.set(name, await servedBy(system, name));

  const hanging = Promise.withResolvers<void>();
  const asked = Promise.withResolvers<void>();
  upstream.answer('hanging', (response) => {
    asked.resolve();
    void hanging.promise.then(() => response.end(GOOD));
  });
  const hangingRun = syncNow(client, 'hanging');
  hangingRun.catch(() => {});
  await asked.promise;
  for (const one of cases) await one.spoil();
  const runs = Promise.all(cases.map(({ name }) => syncNow(client, name)));
  runs.catch(() => {});
  upstream.answer('steady', body(goodAnd(JSON.stringify(server('new')))));
  await until(async () => (await servedBy(system, 'steady')).includes('com.example/new'), {
    what: 'a change of another registry to be published',
  });
  expect((await client.registry('hanging')).status.phase).toBe('Syncing');

  for (const [index, run] of (await runs).entries()) {
    const one = cases[index];
    expect(run, one?.name).toMatchObject(one?.expected ?? {});
    await expectStatusOf(client, run);
    const served = await servedBy(system, run.registry);
    if (one?.serves === undefined) expect(served, one?.name).toBe(before.get(run.registry));
    else expect(served, one.name).toContain(one.serves);
  }
  hanging.resolve();
  expect(await hangingRun).toMatchObject({ outcome: 'unchanged' });
  await expectAlive(system, residentMbBefore);
  await expectMended(system, cases, before);
});

async function expectStatusOf(client: ApiClient, { registry, outcome, error }: Run): Promise<void> {
  // It may be tried again meanwhile.
  const { status, held } = await untilRegistry(
    client,
    registry,
    (found) => found.status.phase === (outcome === 'failed' ? 'Failed' : 'Complete'),
  );
  expect(status.errorCode, registry).toBe(error?.code);
  if (error !== undefined) expect(status.message).toMatch(/.+/);
  if (outcome === 'held') expect(held).toMatchObject({ rowCountBefore: 5 });
}

async function expectAlive(system: System, residentMbBefore: number): Promise<void> {
  for (const process of [...system.schedulers, ...system.workers, system.api]) {
    expect(process.running, process.output.tail()).toBe(true);
  }
  const failedJobs = `${system.apiUrl}/queues/api/queues?activeQueue=registry-sync&status=failed`;
  const shown = await (await fetch(failedJobs)).text();
  expect(shown).toMatch(/"failedReason":"[^"]+/);
  expect(shown).not.toMatch(/\.[jt]s:\d+/);
  await until(
    async (see) => {
      const nowMb = await residentMb(system);
      see({ residentMbBefore, nowMb });
      return nowMb < residentMbBefore + MEMORY_MARGIN_MB;
    },
    { what: 'the memory of the worker to return to its level before' },
  );
}

/** Expects a source that is good again to be synced as usual. */
async function expectMended(
  system: System,
  cases: readonly BadSource[],
  before: ReadonlyMap<string, string>,
): Promise<void> {
  for (const one of cases) await one.mend();
  const runs = await Promise.all(cases.map(({ name }) => syncNow(system.client, name)));
  for (const [index, run] of runs.entries()) {
    expect(run, run.registry).toMatchObject({
      outcome: expect.stringMatching(/published|unchanged/),
    });
    const { status, held } = await untilComplete(system.client, run.registry);
    expect(status, run.registry).toMatchObject({ consecutiveFailures: 0, versionCount: 5 });
    expect(held).toBeNull();
    if (cases[index]?.serves !== undefined) continue;
    expect(await servedBy(system, run.registry), run.registry).toBe(before.get(run.registry));
  }
}

/** Requests a sync, and returns the run that handles it. */
async function syncNow(client: ApiClient, name: string): Promise<Run> {
  const answer = await client.post(`/v1/registries/${name}/sync`, { wait: 600 });
  expect(answer, name).toMatchObject({ status: 200 });
  return runSchema.parse(answer.body);
}

/** Everything that a registry serves, to the byte, without the time of its last successful check. */
async function servedBy({ apiUrl }: System, name: string): Promise<string> {
  const response = await fetch(`${apiUrl}/registry/${name}/v0.1/servers?limit=100`);
  return (await response.text()).replaceAll(/"syncedAt":"[^"]*"/g, '"syncedAt":""');
}

async function residentMb({ workers: [worker] }: System): Promise<number> {
  if (worker === undefined) throw new Error('there is no worker');
  const metrics = await readMetrics(await opsUrl(worker));
  return (metrics.get('process_resident_memory_bytes') ?? Number.NaN) / 1e6;
}
