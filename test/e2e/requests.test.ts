import { createSynclineClient } from '@syncline/client';
import { type JobPayloadInput, type Run, redisKeys } from '@syncline/contract';
import { type Job, Queue } from 'bullmq';
import { describe, expect, test } from 'vitest';
import { suiteLifetime, testLifetime } from '../support/lifetime.ts';
import { startProcess } from '../support/processes.ts';
import { generateRows } from '../support/rows/generate.ts';
import { PROGRAMS, type System, startSystem } from '../support/system.ts';
import { until } from '../support/until.ts';
import { untilComplete, untilRegistry, untilRun } from '../support/until-registry.ts';
import { startUpstream, type Upstream } from '../support/upstream.ts';

const ROWS = generateRows({ count: 150, seed: 31 });

/** One system for all ways to request, with a registry that only requests start. */
describe('a requested sync', () => {
  const lifetime = suiteLifetime();
  let started: Promise<{ system: System; upstream: Upstream }> | undefined;
  const begin = () => {
    started ??= startAll();
    return started;
  };
  async function startAll() {
    const upstream = await startUpstream({ rows: ROWS, lifetime });
    const config = {
      registries: [
        { name: 'asked', api: { endpoint: upstream.url }, syncPolicy: { interval: '12h' } },
      ],
    };
    const system = await startSystem({ config, lifetime });
    await untilComplete(system.client, 'asked');
    return { system, upstream };
  }

  test('over HTTP leads to a run', async () => {
    const { system } = await begin();
    const { client, apiUrl, token } = system;
    const before = await runIds(system);
    const response = await fetch(`${apiUrl}/v1/registries/asked/sync`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}` },
    });
    expect(response.status).toBe(202);
    const { control } = await client.registry('asked');
    expect(await response.json()).toEqual({ request: control.requested, state: 'queued' });
    const run = await untilRun(client, 'asked', ({ id }) => !before.includes(id));
    expectRequested(run);
    expect(run.handledRequest).toBe(control.requested);

    const answer = await client.get(response.headers.get('location') ?? '');
    expect(answer.body).toMatchObject({ state: 'answered', run: { id: run.id } });
    const waited = await client.sync('asked');
    expect(waited.id).not.toBe(run.id);
    expectRequested(waited);
    expect((await client.get(`/v1/runs/${waited.id}`)).body).toEqual(waited);
  });

  test('by the CLI leads to a run, and the command waits for it', async () => {
    const { system } = await begin();
    const before = await runIds(system);
    const cli = await startProcess({
      name: 'syncline sync',
      entry: PROGRAMS.cli,
      args: ['sync', 'asked', '--wait'],
      env: { REDIS_URL: system.redisUrl, SYNCLINE_PREFIX: system.prefix },
    });
    expect(await cli.exited).toEqual({ code: 0, signal: null });
    expect(cli.output.tail()).toMatch(/asked: unchanged/);
    const run = (await system.client.runs('asked')).find(({ id }) => !before.includes(id));
    expectRequested(run);
  });

  test('by the client library leads to a run', async () => {
    const { system } = await begin();
    const before = await runIds(system);
    const client = createSynclineClient({ redis: system.redisUrl, prefix: system.prefix });
    testLifetime.defer(() => client.close());
    const { request } = await client.requestSync('asked');
    const run = await client.waitForRun('asked', request, { timeoutMs: 120_000 });
    expect(before).not.toContain(run?.id);
    expectRequested(run);
    expect(await system.client.runs('asked')).toContainEqual(run);
    expect(await client.getStatus('asked')).toMatchObject({ phase: 'Complete', term: run?.term });
  });

  test('by a bare BullMQ job leads to a run, and the job returns its result', async () => {
    const { system } = await begin();
    const queue = openBareQueue(system);
    for (const [trigger, payload] of [
      ['manual', { v: 1, registry: 'asked' }],
      ['webhook', { v: 1, registry: 'asked', trigger: 'webhook', force: true }],
    ] satisfies [Run['trigger'], JobPayloadInput][]) {
      const before = await runIds(system);
      const job = await queue.add('sync', payload);
      const isNew = ({ id }: Run) => !before.includes(id);
      expect(await untilRun(system.client, 'asked', isNew)).toMatchObject({
        trigger,
        outcome: 'unchanged',
      });
      expect(await untilEnded(queue, job)).toMatchObject({ returnvalue: 'unchanged' });
    }
  });

  test('by an invalid job, or for an unknown registry, fails with a reason', async () => {
    const { system } = await begin();
    const queue = openBareQueue(system);
    const before = await runIds(system);
    for (const [payload, reason] of [
      [{ v: 2, registry: 'asked' }, /payload/],
      [{ v: 1, registry: 'nobody' }, /the config has no registry nobody/],
    ] as const) {
      const job = await queue.add('sync', payload);
      expect((await untilEnded(queue, job)).failedReason).toMatch(reason);
    }
    expect(await runIds(system)).toEqual(before);
  });

  test('ten times at once during a run leads to exactly one more run', async () => {
    const { system, upstream } = await begin();
    const { client } = system;
    const library = createSynclineClient({ redis: system.redisUrl, prefix: system.prefix });
    testLifetime.defer(() => library.close());
    const queue = openBareQueue(system);
    const gate = upstream.hold();
    testLifetime.defer(() => gate.release());
    const before = await runIds(system);
    const requestedBefore = (await client.registry('asked')).control.requested;
    expect((await client.post('/v1/registries/asked/sync')).status).toBe(202);
    await gate.arrived;

    const answers = await Promise.all([
      ...Array.from({ length: 4 }, () => client.post('/v1/registries/asked/sync')),
      ...Array.from({ length: 3 }, () => library.requestSync('asked')),
      ...Array.from({ length: 3 }, () => queue.add('sync', { v: 1, registry: 'asked' })),
    ]);
    expect(answers).toHaveLength(10);
    expect(answers[0]).toMatchObject({ status: 202, body: { state: 'joined' } });
    expect(answers[4]).toMatchObject({ state: 'joined' });
    await untilRegistry(
      client,
      'asked',
      ({ control }) => control.requested === requestedBefore + 11,
      { what: 'all requests to be counted' },
    );
    gate.release();
    await untilRegistry(
      client,
      'asked',
      ({ control, status }) => control.handled === control.requested && status.phase !== 'Syncing',
      { what: 'all requests to be handled' },
    );
    await until(
      async (see) => {
        const counts = await queue.getJobCounts('wait', 'prioritized', 'active');
        see(counts);
        return Object.values(counts).every((count) => count === 0);
      },
      { what: 'an idle queue' },
    );
    const runs = (await client.runs('asked')).filter(({ id }) => !before.includes(id));
    expect(runs).toHaveLength(2);
    expect(runs.map(({ handledRequest }) => handledRequest - requestedBefore)).toEqual([11, 1]);
    for (const run of runs) expectRequested(run);
  });
});

/** A producer that knows only the fixed names of Syncline. */
function openBareQueue({ redisUrl, prefix }: System): Queue {
  const { hostname: host, port } = new URL(redisUrl);
  const queue = new Queue('registry-sync', {
    connection: { host, port: Number(port) },
    prefix: redisKeys(prefix).queuePrefix,
  });
  testLifetime.defer(() => queue.close());
  return queue;
}

function untilEnded(queue: Queue, { id = '' }: Job): Promise<Job> {
  return until(
    async (see) => {
      const job = await queue.getJob(id);
      see({ ...job?.asJSON(), opts: undefined });
      return job?.finishedOn !== undefined && job;
    },
    { what: 'the end of the job' },
  );
}

async function runIds({ client }: System): Promise<string[]> {
  return (await client.runs('asked')).map(({ id }) => id);
}

function expectRequested(run: Run | undefined): void {
  expect(run).toMatchObject({
    registry: 'asked',
    trigger: 'manual',
    reason: 'manual-sync-with-data-changes',
    outcome: 'unchanged',
    rowCount: ROWS.length,
    diff: { added: 0, updated: 0, removed: 0 },
  });
}
