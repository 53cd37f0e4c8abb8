import { expect, test } from 'vitest';
import { testLifetime } from '../support/lifetime.ts';
import { generateRows } from '../support/rows/generate.ts';
import { startSystem } from '../support/system.ts';
import { untilComplete, untilRun } from '../support/until-registry.ts';
import { startUpstream } from '../support/upstream.ts';

const ROWS = generateRows({ count: 250, seed: 61 });

test('a worker that is told to stop during a sync interrupts it, and another worker runs it', async () => {
  const upstream = await startUpstream({ rows: ROWS });
  const config = {
    registries: [
      { name: 'slow', api: { endpoint: upstream.url }, syncPolicy: { interval: '12h' } },
    ],
  };
  const system = await startSystem({ config });
  const { client } = system;
  await untilComplete(client, 'slow');
  const gate = upstream.hold();
  testLifetime.defer(() => gate.release());
  expect((await client.post('/v1/registries/slow/sync')).status).toBe(202);
  await gate.arrived;
  const { status } = await client.registry('slow');
  const holder = system.workers.find(({ pid }) => status.owner?.includes(`-${pid}-`));
  if (holder === undefined) throw new Error(`no worker is ${status.owner}`);

  expect(await holder.stop()).toEqual({ code: 0, signal: null });
  const ofHolder = await untilRun(client, 'slow', ({ term }) => term === status.term);
  expect(ofHolder).toMatchObject({ outcome: 'interrupted', trigger: 'manual' });
  const isLater = (run: { term: string }) => Number(run.term) > Number(status.term);
  const next = await untilRun(client, 'slow', isLater);
  expect(next).toMatchObject({ outcome: 'unchanged', trigger: 'manual' });
  expect(next.owner).not.toBe(ofHolder.owner);
  const after = await client.registry('slow');
  expect(after.status).toMatchObject({ phase: 'Complete', consecutiveFailures: 0 });
  expect(after.control.handled).toBe(after.control.requested);
});

test('every process exits with status 0 when it is idle', async () => {
  const upstream = await startUpstream({ rows: ROWS });
  const config = { registries: [{ name: 'idle', api: { endpoint: upstream.url } }] };
  const system = await startSystem({ config, workers: 1 });
  await untilComplete(system.client, 'idle');
  const processes = [...system.schedulers, ...system.workers, system.api];
  const exits = await Promise.all(processes.map((process) => process.stop()));
  expect(exits).toEqual(processes.map(() => ({ code: 0, signal: null })));
});
