import { rm } from 'node:fs/promises';
import path from 'node:path';
import { QUEUE_NAME, redisKeys } from '@syncline/contract';
import { publishConfig } from '@syncline/redis';
import type { ProcessContext } from '@syncline/runtime';
import {
  processContext,
  startRedisServer,
  temporaryDirectory,
  testRedis,
  until,
} from '@syncline/test/support';
import { Queue } from 'bullmq';
import { expect, onTestFinished, test } from 'vitest';
import { startApi } from './start-api.ts';
import { OPERATE_TOKEN_FILE, OPERATOR } from './testing/access.ts';

const INPUT = { registries: [{ name: 'local', file: { path: '/registry.json' } }] };

async function start(env: { redisUrl: string } & Partial<ProcessContext['env']>) {
  const context = processContext('api', {
    prefix: 'syncline',
    adminTokenFile: OPERATE_TOKEN_FILE,
    ...env,
  });
  const api = await startApi(context);
  onTestFinished(() => api.stop());
  const url = `http://127.0.0.1:${api.port}`;
  const get = async (route: string, init: RequestInit = {}) => {
    const headers = { ...OPERATOR, ...init.headers };
    const response = await fetch(`${url}${route}`, { ...init, headers });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };
  return { api, url, get, metrics: context.metrics };
}

test('the api becomes ready with the first config, and serves what is in Redis', async () => {
  const { url, prefix, client } = testRedis();
  const keys = redisKeys(prefix);
  const { get, metrics } = await start({ redisUrl: url, prefix });

  expect(await get('/health')).toMatchObject({ status: 200 });
  expect(await get('/readiness')).toMatchObject({ status: 503, body: { ready: false } });
  expect(await get('/v1/registries')).toMatchObject({ status: 503 });

  await publishConfig({ redis: client, keys }, { input: INPUT });
  await until(async () => (await get('/readiness')).status === 200, { what: 'readiness' });
  expect(await get('/v1/registries')).toMatchObject({
    status: 200,
    body: { registries: [{ name: 'local', status: { phase: 'Pending' } }] },
  });
  expect(await get('/registry/local/v0.1/servers')).toMatchObject({
    status: 503,
    body: { code: 'catalog-not-ready' },
  });

  const checkedAt = new Date(Date.now() - 5_000).toISOString();
  await client.hset(keys.status('local'), { phase: 'Complete', lastSuccessAt: checkedAt });
  // All readers share the state for a second.
  await until(
    async (see) => {
      const { body } = await metrics.expose();
      see(body);
      return /syncline_registry_age_seconds\{registry="local"\} ([5-9]|\d\d)/.test(body);
    },
    { what: 'the age of the registry' },
  );
});

test('a sync request is counted, its wake-up job is queued, and Bull Board shows the queue', async () => {
  const { url: redisUrl, prefix, client } = testRedis();
  const keys = redisKeys(prefix);
  await publishConfig({ redis: client, keys }, { input: INPUT });
  const { get } = await start({ redisUrl, prefix });

  expect(await get('/v1/registries/local/sync', { method: 'POST' })).toEqual({
    status: 202,
    body: { request: 1, state: 'queued' },
  });
  expect(await get('/v1/registries/local/requests/1')).toMatchObject({
    status: 200,
    body: { state: 'open' },
  });
  const queue = new Queue(QUEUE_NAME, { connection: client, prefix: keys.queuePrefix });
  onTestFinished(() => queue.close());
  const [job] = await queue.getJobs(['waiting']);
  expect(job?.data).toMatchObject({ v: 1, registry: 'local', request: 1 });
  expect(await get('/queues/api/queues')).toMatchObject({
    body: { queues: [{ name: QUEUE_NAME, readOnlyMode: false }] },
  });

  expect(await get('/v1/registries/local/suspend', { method: 'POST' })).toMatchObject({
    body: { control: { suspended: true } },
  });
  expect(await get('/v1/registries/local/sync', { method: 'POST' })).toMatchObject({
    status: 409,
    body: { code: 'registry-suspended' },
  });
});

test('the api starts without Redis, reports that, and recovers when Redis is there', async () => {
  const redis = await startRedisServer();
  await redis.stop();
  const { api, get } = await start({ redisUrl: redis.url });
  expect(await get('/health')).toMatchObject({ status: 200 });
  expect(await get('/readiness')).toMatchObject({ status: 503 });
  expect(await get('/v1/registries')).toMatchObject({
    status: 503,
    body: { code: 'store-unavailable' },
  });
  await redis.start();
  await until(async () => (await get('/v1/registries')).body['code'] === 'config-unreadable', {
    what: 'the api to use Redis again',
  });
  await redis.kill();
  await until(async () => (await get('/v1/registries')).body['code'] === 'store-unavailable', {
    what: 'the api to notice that Redis is away',
  });
  await api.stop();
});

test('the api stops even while a caller waits for a run', async () => {
  const { url: redisUrl, prefix, client } = testRedis();
  const keys = redisKeys(prefix);
  await publishConfig({ redis: client, keys }, { input: INPUT });
  const { api, get } = await start({ redisUrl, prefix });
  const asked = get('/v1/registries/local/sync', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ wait: 600 }),
  });
  await until(() => client.hget(keys.control('local'), 'requested'), { what: 'the request' });
  await api.stop();
  expect(await asked).toMatchObject({ status: 202 });
});

test('the api does not start if its token file is missing', async () => {
  const directory = await temporaryDirectory();
  const { url: redisUrl, prefix } = testRedis();
  await rm(directory, { recursive: true });
  await expect(
    start({ redisUrl, prefix, adminTokenFile: path.join(directory, 'token') }),
  ).rejects.toMatchObject({ code: 'config-invalid' });
});

test('a preview that no worker takes fails after the wait', async () => {
  const { url: redisUrl, prefix, client } = testRedis();
  const keys = redisKeys(prefix);
  await publishConfig({ redis: client, keys }, { input: INPUT });
  const { get } = await start({ redisUrl, prefix });
  const asked = await get('/v1/registries/local/preview', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ wait: 0.1 }),
  });
  expect(asked).toMatchObject({ status: 502, body: { code: 'preview-failed' } });
  expect(asked.body['detail']).toContain('no worker has taken');
});
