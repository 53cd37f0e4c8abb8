/** A poison registry costs other registries little, and only for a while. */
import { execFileSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { ConfigInput, ErrorCode } from '@syncline/contract';
import { expect, test } from 'vitest';
import type { ApiClient } from '../support/api-client.ts';
import { testLifetime } from '../support/lifetime.ts';
import type { ProcessHandle } from '../support/processes.ts';
import { writeRegistryFile } from '../support/registry-file.ts';
import { generateRows } from '../support/rows/generate.ts';
import { startScriptedServer } from '../support/scripted-server.ts';
import { startSystem } from '../support/system.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { until } from '../support/until.ts';
import { untilComplete, untilRegistry, untilRun } from '../support/until-registry.ts';
import { startUpstream } from '../support/upstream.ts';

const ROWS = generateRows({ count: 150, seed: 19 });
const DEATHS = 3;

type Registries = ConfigInput['registries'];

/** Starts a system whose workers the test starts, as a supervisor would. */
async function startPoisoned(registries: Registries, env: Record<string, string> = {}) {
  const pipe = path.join(await temporaryDirectory(), 'pipe');
  execFileSync('sh', ['-c', 'mkfifo "$0"', pipe]);
  const system = await startSystem({ config: { registries }, workers: 0, env });
  const startWorker = (): Promise<ProcessHandle> =>
    system.start('worker', { entry: 'test/chaos/processes/poisoned-worker.ts', args: [pipe] });
  return { ...system, pipe, startWorker };
}

/** Restarts a worker whenever it has died, until the end of the scope. */
function supervise(startWorker: () => Promise<ProcessHandle>) {
  const deathsAtMs: number[] = [];
  let worker: ProcessHandle | undefined;
  let isOver = false;
  const supervising = (async () => {
    while (!isOver) {
      worker = await startWorker();
      const { signal } = await worker.exited;
      if (!isOver) expect(signal).toBe('SIGKILL');
      deathsAtMs.push(Date.now());
    }
  })();
  supervising.catch(() => {});
  return {
    /** Waits for the death with this number, from 1, and returns its time. */
    death: (number: number) =>
      until(() => deathsAtMs[number - 1], { what: `death ${number} of the worker` }),
    async [Symbol.asyncDispose]() {
      isOver = true;
      if (worker?.running) await worker.kill();
      await supervising;
    },
  };
}

/** Waits until a registry has been checked after a time, and is well. */
function untilWellAfter(client: ApiClient, name: string, sinceMs: number) {
  return untilRegistry(
    client,
    name,
    ({ status }) => Date.parse(status.lastSuccessAt ?? '') > sinceMs,
    { what: `${name} to be synced again` },
  );
}

test('a registry that kills its process is Failed after three deaths, and registries that died with it are not', async () => {
  const upstream = await startUpstream({ rows: ROWS });
  const long = await startUpstream({ rows: ROWS });
  const of = (name: string, url: string) => ({
    name,
    api: { endpoint: url },
    syncPolicy: { interval: '5s' },
  });
  const { client, startWorker } = await startPoisoned([
    of('killer', upstream.url),
    of('long', long.url),
    of('steady-a', upstream.url),
    of('steady-b', upstream.url),
  ]);
  const hold = () => {
    const gate = long.hold({ when: ({ query }) => query.has('cursor') });
    testLifetime.defer(() => gate.release());
    return gate;
  };
  await using supervisor = supervise(startWorker);
  for (let death = 1; death <= DEATHS; death += 1) {
    const gate = hold();
    // From here on, at most one of the two runs at a time.
    if (death === DEATHS) gate.arrived.then(gate.release, () => {});
    const diedAtMs = await supervisor.death(death);
    gate.release();
    if (death === 1) {
      expect((await client.registry('long')).status.startsWithoutFinish).toBe(1);
    }
    for (const name of ['steady-a', 'steady-b']) await untilWellAfter(client, name, diedAtMs);
  }
  const crashed = await untilRun(client, 'killer', ({ error }) => error?.code === 'run-crashed');
  expect(crashed).toMatchObject({ outcome: 'failed', error: { nextTryAt: expect.any(String) } });
  expect((await client.registry('killer')).status).toMatchObject({
    errorCode: 'run-crashed',
    nextDueAt: expect.any(String),
  });
  await untilComplete(client, 'long');
  for (const name of ['long', 'steady-a', 'steady-b']) {
    const failed = (await client.runs(name)).filter(({ outcome }) => outcome === 'failed');
    expect(failed).toEqual([]);
  }
});

test('a registry that hangs or fills memory is Failed with its reason, and leaves capacity and threads to the others', async () => {
  const upstream = await startUpstream({ rows: ROWS });
  const steadyFile = await writeRegistryFile(ROWS);
  const server = await startScriptedServer();
  server.answer('silent', () => {});
  server.answer('dripping', (response) => {
    const dripping = setInterval(() => response.write(' '), 100);
    response.once('close', () => clearInterval(dripping));
  });
  const folder = await temporaryDirectory();
  const fat = path.join(folder, 'fat.json');
  const small = { version: '1.0.0', description: 'does things' };
  const many = Array.from({ length: 200_000 }, (_, index) => ({ name: `s-${index}`, ...small }));
  await writeFile(fat, JSON.stringify({ servers: many }));
  const dense = path.join(folder, 'dense.json');
  await writeFile(dense, `[${'1,'.repeat(2_000_000)}1]`);
  const pipe = path.join(folder, 'pipe');
  execFileSync('sh', ['-c', 'mkfifo "$0"', pipe]);

  const poison: Record<string, readonly [code: ErrorCode, source: object]> = {
    'hung-promise': ['run-timeout', { api: { endpoint: upstream.url } }],
    'hung-store': ['run-timeout', { api: { endpoint: upstream.url } }],
    'hung-call': ['run-timeout', { api: { endpoint: upstream.url } }],
    silent: ['run-timeout', { file: { url: `${server.url}/silent`, timeout: '1m' } }],
    dripping: ['run-timeout', { api: { endpoint: `${server.url}/dripping`, timeout: '1m' } }],
    pipe: ['source-file-unreadable', { file: { path: pipe } }],
    fat: ['run-out-of-memory', { file: { path: fat } }],
    dense: ['source-too-many-rows', { file: { path: dense } }],
  };
  const { client, startWorker } = await startPoisoned(
    [
      ...Object.entries(poison).map(([name, [code, source]]) => ({
        name,
        ...source,
        syncPolicy: { interval: '1h', ...(code === 'run-timeout' ? { timeout: '3s' } : {}) },
      })),
      { name: 'steady-api', api: { endpoint: upstream.url } },
      { name: 'steady-file', file: { path: steadyFile.path } },
    ],
    // As many runs at once as there are registries that would hang if they were not ended.
    { SYNCLINE_CONCURRENCY: '5', SYNCLINE_HEAVY_RUNS: '1' },
  );
  const worker = await startWorker();
  for (const [name, [code]] of Object.entries(poison)) {
    const { status } = await untilRegistry(client, name, (it) => it.status.phase === 'Failed');
    expect(status, name).toMatchObject({ errorCode: code });
  }

  // Each try that repeated the hung call would block one more of the threads that read files.
  for (let attempt = 0; attempt < 4; attempt += 1) {
    expect(await client.sync('hung-call')).toMatchObject({ error: { code: 'run-timeout' } });
  }
  upstream.replace(ROWS.slice(1));
  await steadyFile.replace(ROWS.slice(1));
  for (const name of ['steady-api', 'steady-file']) {
    await untilComplete(client, name);
    await client.sync(name);
    expect(await client.allServers(name)).toHaveLength(ROWS.length - 1);
  }
  expect(worker.running).toBe(true);

  // A thread that never returns would also keep the process from ending.
  await worker.stop();
  expect(worker.output.logs.at(-1)).toMatchObject({ msg: 'stopped' });
});
