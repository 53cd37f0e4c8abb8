import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { connect as connectSocket, createServer, type Socket } from 'node:net';
import path from 'node:path';
import { createSynclineClient } from '@syncline/client';
import { redisKeys } from '@syncline/contract';
import { createPreviewRequester, publishConfig } from '@syncline/redis';
import {
  connect,
  processContext,
  startRedisServer,
  temporaryDirectory,
  testRedis,
  until,
} from '@syncline/test/support';
import { expect, onTestFinished, test } from 'vitest';
import { startWorker } from './start-worker.ts';

async function start(
  env: { redisUrl: string; prefix: string },
  options: Parameters<typeof startWorker>[1] = {},
) {
  const worker = await startWorker(processContext('worker', { concurrency: 4, ...env }), options);
  onTestFinished(() => worker.stop());
  return worker;
}

/** A config in force, with one registry in a file. */
async function publishRegistry(
  { client: redis, prefix }: Pick<ReturnType<typeof testRedis>, 'client' | 'prefix'>,
  ...names: readonly string[]
): Promise<(...servers: readonly string[]) => Promise<void>> {
  const file = path.join(await temporaryDirectory(), 'registry.json');
  const write = async (...servers: readonly string[]) => {
    const rows = servers.map((name) => ({ name, version: '1', description: 'x' }));
    await writeFile(file, JSON.stringify({ servers: rows }));
  };
  const input = { registries: names.map((name) => ({ name, file: { path: file } })) };
  await publishConfig({ redis, keys: redisKeys(prefix) }, { input });
  return write;
}

test('a worker runs a requested sync, and the requester gets the run', async () => {
  const shared = testRedis();
  const write = await publishRegistry(shared, 'alpha');
  await write('a', 'b');
  await start({ redisUrl: shared.url, prefix: shared.prefix });
  const client = createSynclineClient({ redis: shared.client, prefix: shared.prefix });
  onTestFinished(() => client.close());

  const first = await client.requestSync('alpha');
  expect(await client.waitForRun('alpha', first.request, { timeoutMs: 120_000 })).toMatchObject({
    outcome: 'published',
    trigger: 'manual',
    rowCount: 2,
  });
  await write('a', 'b', 'c');
  const second = await client.requestSync('alpha');
  expect(await client.waitForRun('alpha', second.request, { timeoutMs: 120_000 })).toMatchObject({
    outcome: 'published',
    diff: { added: 1 },
  });
  expect(await client.getStatus('alpha')).toMatchObject({ phase: 'Complete', versionCount: 3 });
});

test('a worker that starts before the first config is not ready, and later runs open requests', async () => {
  const shared = testRedis();
  const worker = await start({ redisUrl: shared.url, prefix: shared.prefix });
  expect(await worker.readiness()).toEqual({
    ready: false,
    problems: expect.arrayContaining(['no config has been published']),
  });
  const write = await publishRegistry(shared, 'alpha');
  await write('a');
  const client = createSynclineClient({ redis: shared.client, prefix: shared.prefix });
  onTestFinished(() => client.close());
  const { request } = await client.requestSync('alpha');
  await client.waitForRun('alpha', request, { timeoutMs: 120_000 });
  expect(await worker.readiness()).toEqual({ ready: true, problems: [] });
});

test('a request runs even if its job was removed', async () => {
  const shared = testRedis();
  const write = await publishRegistry(shared, 'alpha');
  await write('a');
  const client = createSynclineClient({ redis: shared.client, prefix: shared.prefix });
  onTestFinished(() => client.close());
  const { request } = await client.requestSync('alpha');
  const { queuePrefix } = redisKeys(shared.prefix);
  const jobs = await shared.client.keys(`${queuePrefix}:registry-sync:*`);
  await shared.client.unlink(...jobs);
  await start({ redisUrl: shared.url, prefix: shared.prefix });
  const run = await client.waitForRun('alpha', request, { timeoutMs: 120_000 });
  expect(run).toMatchObject({ outcome: 'published', handledRequest: 1 });
});

test('a registry whose worker died is run again as soon as the lease ends', async () => {
  const shared = testRedis();
  const write = await publishRegistry(shared, 'alpha');
  await write('a');
  const keys = redisKeys(shared.prefix);
  await shared.client.hset(keys.status('alpha'), {
    phase: 'Syncing',
    term: '1770000000000000',
    owner: 'dead',
    leaseUntil: Date.now() + 500,
    startsWithoutFinish: 1,
  });
  await start({ redisUrl: shared.url, prefix: shared.prefix });
  const phase = await until(
    async () => {
      const found = await shared.client.hget(keys.status('alpha'), 'phase');
      return found === 'Complete' && found;
    },
    { what: 'the registry to be synced' },
  );
  expect(phase).toBe('Complete');
  expect(await shared.client.hget(keys.status('alpha'), 'startsWithoutFinish')).toBe('0');
});

test('a worker stops even while Redis is away', async () => {
  const server = await startRedisServer();
  const worker = await start({ redisUrl: server.url, prefix: 'syncline' });
  await until(async () => (await worker.readiness()).problems.every((it) => !/Redis/.test(it)), {
    what: 'the connection',
  });
  await server.kill();
  await worker.stop();
});

test('a worker answers a preview, and publishes nothing', async () => {
  const shared = testRedis();
  const write = await publishRegistry(shared, 'alpha');
  await write('a', 'b');
  await start({ redisUrl: shared.url, prefix: shared.prefix });
  const keys = redisKeys(shared.prefix);
  const previewer = createPreviewRequester({
    redis: shared.client,
    keys,
    onError: () => {},
  });
  onTestFinished(() => previewer.close());
  const options = { timeoutMs: 120_000 };
  expect(await previewer.request({ registry: 'alpha' }, options)).toMatchObject({
    state: 'would-publish',
    diff: { added: 2, samples: { added: ['a@1', 'b@1'] } },
  });
  expect(await shared.client.keys(`${shared.prefix}:{alpha}:*`)).toEqual([]);
  await expect(previewer.request({ registry: 'nobody' }, options)).rejects.toMatchObject({
    code: 'unknown-registry',
  });
});

test('a preview shows no contents of a file that is not a registry', async () => {
  const shared = testRedis();
  const file = path.join(await temporaryDirectory(), 'token');
  await start({ redisUrl: shared.url, prefix: shared.prefix });
  const keys = redisKeys(shared.prefix);
  const input = { registries: [{ name: 'known', file: { path: file } }] };
  await publishConfig({ redis: shared.client, keys }, { input });
  const previewer = createPreviewRequester({ redis: shared.client, keys, onError: () => {} });
  onTestFinished(() => previewer.close());
  const messageOf = (name: string) =>
    previewer.request({ config: { name, file: { path: file } } }, { timeoutMs: 120_000 }).then(
      () => 'a preview',
      (error: Error) => error.message,
    );
  for (const [text, code] of [
    ['planted-secret', 'source-not-json'],
    ['{"planted-secret": 1}', 'source-not-a-registry'],
  ] as const) {
    await writeFile(file, text);
    expect(await messageOf('curious')).toBe(
      `the preview could not read the source: ${code}: ${file} contains no registry`,
    );
    // For a registry of the config, the error shows more, as its status does.
    expect(await messageOf('known')).toContain('planted-secret');
  }
});

/** Longer than a healthy loop takes for a turn, and no longer than a test can wait. */
const WEDGED_AFTER_MS = 12_000;

test('a worker whose open connection is dead is not live, although its process responds', async () => {
  const shared = testRedis();
  const proxy = await startProxy(shared.url);
  const worker = await start(
    { redisUrl: proxy.url, prefix: shared.prefix },
    { wedgedAfterMs: WEDGED_AFTER_MS },
  );
  await publishRegistry(shared, 'alpha');
  await until(async () => (await worker.readiness()).ready, { what: 'readiness' });
  expect(worker.liveness()).toEqual([]);

  proxy.swallowJobs();
  const [problem] = await until(() => worker.liveness().length > 0 && worker.liveness(), {
    what: 'the worker to be reported as wedged',
  });
  expect(problem).toContain('has taken no jobs');
  // Redis answers: all that readiness asks for is there.
  expect(await worker.readiness()).toEqual({ ready: true, problems: [] });
});

test('a worker stays live during a Redis outage that is longer than its liveness limit', async () => {
  const server = await startRedisServer();
  const worker = await start(
    { redisUrl: server.url, prefix: 'syncline' },
    { wedgedAfterMs: WEDGED_AFTER_MS },
  );
  const alive: boolean[] = [];
  const lookUntil = (isReached: () => Promise<boolean>, what: string) =>
    until(
      async () => {
        alive.push(worker.liveness().length === 0);
        return isReached();
      },
      { what },
    );
  const isSeen = async () => !(await worker.readiness()).problems.join().includes('Redis');
  await lookUntil(isSeen, 'the connection');
  await server.kill();
  const backAtMs = performance.now() + WEDGED_AFTER_MS + 4_000;
  await lookUntil(async () => performance.now() > backAtMs, 'the outage to be long');
  expect(await isSeen()).toBe(false);
  await server.start();
  await lookUntil(isSeen, 'Redis to be back');
  const redis = connect(server.url);
  const write = await publishRegistry({ client: redis, prefix: 'syncline' }, 'alpha');
  await write('a');
  const client = createSynclineClient({ redis });
  onTestFinished(() => client.close());
  const { request } = await client.requestSync('alpha');
  await client.waitForRun('alpha', request, { timeoutMs: 120_000 });
  expect(new Set(alive)).toEqual(new Set([true]));
});

/** A proxy between a worker and Redis. On command, it swallows what the connection for jobs sends. */
async function startProxy(redisUrl: string) {
  const { hostname: host, port } = new URL(redisUrl);
  const sockets = new Set<Socket>();
  let isSwallowing = false;
  const proxy = createServer((socket) => {
    const upstream = connectSocket(Number(port), host);
    for (const end of [socket, upstream]) {
      sockets.add(end);
      end.on('error', () => {});
      end.on('close', () => socket.destroy());
    }
    let carriesJobs = false;
    socket.on('data', (data) => {
      // The connection that fetches jobs names these keys. The one of the canary does not.
      carriesJobs ||= isSwallowing && /registry-sync:(active|marker)/.test(data.toString());
      if (!carriesJobs) upstream.write(data);
    });
    upstream.on('data', (data) => {
      if (!carriesJobs) socket.write(data);
    });
  }).listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    proxy.close();
  });
  const address = proxy.address();
  if (address === null || typeof address === 'string') throw new Error('it listens on TCP');
  return {
    url: `redis://127.0.0.1:${address.port}`,
    swallowJobs: () => {
      isSwallowing = true;
    },
  };
}
