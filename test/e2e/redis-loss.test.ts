import { type ConfigInput, redisKeys } from '@syncline/contract';
import { expect, test } from 'vitest';
import { connect } from '../support/redis.ts';
import { type RedisServerHandle, startRedisServer } from '../support/redis-server.ts';
import { writeRegistryFile } from '../support/registry-file.ts';
import { generateRows } from '../support/rows/generate.ts';
import { type System, startSystem, waitUntilReady } from '../support/system.ts';
import { until } from '../support/until.ts';
import { untilComplete, untilRegistry } from '../support/until-registry.ts';
import { startUpstream } from '../support/upstream.ts';

const NAMES = ['one', 'two', 'three', 'upstream'];
const ROWS = generateRows({ count: 120, seed: 51 });
const SLOW = { interval: '12h' };

/** Three files and an api. None is due again during a test. */
async function startOnOwnRedis(): Promise<{ system: System; redis: RedisServerHandle }> {
  const redis = await startRedisServer();
  const upstream = await startUpstream({ rows: ROWS });
  const { path } = await writeRegistryFile(ROWS);
  const config: ConfigInput = {
    registries: NAMES.map((name) => ({
      name,
      ...(name === 'upstream' ? { api: { endpoint: upstream.url } } : { file: { path } }),
      syncPolicy: SLOW,
    })),
  };
  const system = await startSystem({ config, redisUrl: redis.url });
  for (const name of NAMES) await untilComplete(system.client, name);
  return { system, redis };
}

test('all registries are synced again without a restart if Redis comes back empty', async () => {
  const { system, redis } = await startOnOwnRedis();
  const { client } = system;
  await redis.kill();
  await redis.start({ empty: true });

  for (const name of NAMES) {
    await until(async () => (await client.get(`/v1/registries/${name}`)).status === 200, {
      what: `the config with ${name} to be in Redis again`,
    });
    const { status } = await untilComplete(client, name);
    expect(status.versionCount).toBe(ROWS.length);
    expect(await client.allServers(name)).toHaveLength(ROWS.length);
    expect(await client.runs(name)).toMatchObject([{ outcome: 'published', trigger: 'startup' }]);
  }
  const { queuePrefix } = redisKeys(system.prefix);
  const schedules = await connect(redis.url).zrange(
    `${queuePrefix}:registry-sync:repeat`,
    '0',
    '-1',
  );
  expect(schedules.sort()).toEqual([...NAMES].sort());
  // The workers take jobs again, and requests are counted from the beginning.
  expect((await client.sync('upstream')).handledRequest).toBe(1);
  for (const process of [...system.schedulers, ...system.workers, system.api]) {
    expect(process.running, `${process.name}:\n${process.output.tail()}`).toBe(true);
  }
});

test('the api reports that Redis is away, and continues when it is back', async () => {
  const { system, redis } = await startOnOwnRedis();
  const { client } = system;
  const before = await client.registry('one');
  await redis.stop();

  for (const [method, path] of [
    ['get', '/v1/registries'],
    ['get', '/v1/registries/one'],
    ['get', '/v1/registries/one/runs'],
    ['get', '/registry/one/v0.1/servers'],
    ['post', '/v1/registries/one/sync'],
    ['post', '/v1/registries/one/suspend'],
    ['get', '/readiness'],
  ] as const) {
    const { status, body } = await client[method](path);
    expect([method, path, status, body]).toMatchObject([method, path, 503, {}]);
    if (path !== '/readiness') expect(body).toMatchObject({ code: 'store-unavailable' });
  }
  expect((await client.get('/health')).status).toBe(200);

  await redis.start();
  await waitUntilReady(client);
  expect((await client.registry('one')).snapshot).toBe(before.snapshot);
  expect(await client.allServers('one')).toHaveLength(ROWS.length);
  expect(await client.sync('one')).toMatchObject({ outcome: 'unchanged', trigger: 'manual' });
});

test('an HTTP request fails fast while Redis does not answer', async () => {
  const { system, redis } = await startOnOwnRedis();
  const { client } = system;
  redis.pause();
  // All of them are answered while Redis is frozen.
  const answers = await Promise.all([
    client.get('/v1/registries'),
    client.get('/registry/one/v0.1/servers'),
    client.post('/v1/registries/one/sync'),
  ]);
  expect(answers.map(({ status }) => status)).toEqual([503, 503, 503]);
  redis.resume();
  await untilRegistry(client, 'one', ({ status }) => status.phase === 'Complete');
  expect(await client.sync('one')).toMatchObject({ trigger: 'manual' });
});
