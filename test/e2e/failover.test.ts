import { setTimeout as sleep } from 'node:timers/promises';
import { createSynclineClient } from '@syncline/client';
import { expect, test } from 'vitest';
import type { ApiClient } from '../support/api-client.ts';
import { testLifetime } from '../support/lifetime.ts';
import { startProcess } from '../support/processes.ts';
import { writeRegistryFile } from '../support/registry-file.ts';
import { startReplicatedRedis } from '../support/replicated-redis.ts';
import { generateRows } from '../support/rows/generate.ts';
import { PROGRAMS, startSystem, waitUntilReady } from '../support/system.ts';
import { untilComplete, untilRegistry } from '../support/until-registry.ts';
import { startUpstream } from '../support/upstream.ts';

const ROWS = generateRows({ count: 60, seed: 71 });
const READ_EVERY_MS = 20;
const OFTEN = { interval: '5s' };

test('when the Redis primary is killed, the api keeps serving, and all processes continue at the new primary', async () => {
  const redis = await startReplicatedRedis({ sentinels: 3 });
  const upstream = await startUpstream({ rows: ROWS });
  const { path } = await writeRegistryFile(ROWS);
  const registries = [
    { name: 'file', file: { path }, syncPolicy: OFTEN },
    { name: 'upstream', api: { endpoint: upstream.url }, syncPolicy: OFTEN },
  ];
  const system = await startSystem({ config: { registries }, redisUrl: redis.url });
  const { client } = system;
  const library = createSynclineClient({ redis: redis.url, prefix: system.prefix });
  testLifetime.defer(() => library.close());
  for (const { name } of registries) {
    await untilComplete(client, name);
    expect(await client.allServers(name)).toHaveLength(ROWS.length);
    await library.getStatus(name);
  }
  await redis.untilInSync();

  const reading = readOn(client, '/registry/file/v0.1/servers');
  const first = await redis.killPrimary();
  await redis.untilFailedOver(first);
  const failedOverAtMs = Date.now();
  for (const { name } of registries) {
    await untilRegistry(
      client,
      name,
      ({ status }) => Date.parse(status.lastSuccessAt ?? '') > failedOverAtMs,
      { what: `${name} to be checked again` },
    );
  }
  await waitUntilReady(client);
  expect(await reading.stop()).toEqual([200]);

  expect(await client.sync('upstream')).toMatchObject({ trigger: 'manual', outcome: 'unchanged' });
  const { request } = await library.requestSync('file');
  expect(await library.waitForRun('file', request, { timeoutMs: 120_000 })).toBeDefined();
  expect((await client.post('/v1/registries/file/suspend', { note: 'looking' })).status).toBe(200);
  const cli = await startProcess({
    name: 'syncline status',
    entry: PROGRAMS.cli,
    args: ['status', 'file'],
    env: { REDIS_URL: redis.url, SYNCLINE_PREFIX: system.prefix },
  });
  expect(await cli.exited).toEqual({ code: 0, signal: null });
  expect(cli.output.tail()).toContain('looking');

  const processes = [...system.schedulers, ...system.workers, system.api];
  for (const process of processes) expect(process.running, process.output.tail()).toBe(true);
  const exits = await Promise.all(processes.map((process) => process.stop()));
  expect(exits).toEqual(processes.map(() => ({ code: 0, signal: null })));
});

/** Requests a page again and again; `stop` returns all statuses that were answered. */
function readOn(client: ApiClient, page: string) {
  const statuses = new Set<number>();
  let stopped = false;
  const read = async () => {
    while (!stopped) {
      statuses.add((await client.get(page)).status);
      await sleep(READ_EVERY_MS);
    }
  };
  const ended = read();
  return {
    stop: async () => {
      stopped = true;
      await ended;
      return [...statuses];
    },
  };
}
