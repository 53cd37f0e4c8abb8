/** A registry that fills the store, and a full Redis, hurt only what would be published. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { type ConfigInput, redisKeys } from '@syncline/contract';
import { expect, test } from 'vitest';
import { readMetrics, sumOf } from '../support/ops.ts';
import { nodeBinary, projectRoot } from '../support/project.ts';
import { connect } from '../support/redis.ts';
import { startRedisServer } from '../support/redis-server.ts';
import { generateRows } from '../support/rows/generate.ts';
import { startScriptedServer } from '../support/scripted-server.ts';
import { PROGRAMS, startSystem } from '../support/system.ts';
import { until } from '../support/until.ts';
import { untilComplete, untilRegistry, untilRun } from '../support/until-registry.ts';
import { startUpstream } from '../support/upstream.ts';

const MB = 1_000_000;
const MAX_MEMORY = 40 * MB;
/** 70 % of `maxmemory`. */
const LIMIT = 28 * MB;
const ROWS = generateRows({ count: 40, seed: 77 });

/** Returns a registry of about this many megabytes that compression makes little smaller. It differs at each call. */
function randomRegistry(megabytes: number): string {
  const servers = Array.from({ length: megabytes * 100 }, (_, index) => ({
    name: `io.example/${String(index).padStart(5, '0')}`,
    version: '1.0.0',
    description: 'x',
    noise: randomBytes(7_500).toString('base64'),
  }));
  return JSON.stringify({ servers });
}

/** Starts a system on a small Redis, with an honest registry and others. */
async function startOnSmallRedis(others: ConfigInput['registries'] = []) {
  const redis = await startRedisServer({ settings: () => ({ maxmemory: String(MAX_MEMORY) }) });
  const honest = await startUpstream({ rows: ROWS.slice(0, 10) });
  const system = await startSystem({
    redisUrl: redis.url,
    config: {
      registries: [
        { name: 'honest', api: { endpoint: honest.url }, syncPolicy: { interval: '1s' } },
        ...others,
      ],
    },
  });
  return { ...system, redis: connect(redis.url), honest };
}

type SmallSystem = Awaited<ReturnType<typeof startOnSmallRedis>>;

/** Adds a row at the honest upstream, and waits until it is served. */
async function untilOnTime({ client, honest }: SmallSystem): Promise<void> {
  const before = honest.size;
  honest.upsert(ROWS.slice(before, before + 1));
  await untilRegistry(client, 'honest', ({ status }) => status.versionCount === before + 1, {
    what: 'the new row to be served',
  });
}

async function usedBytes({ redis }: SmallSystem): Promise<number> {
  return Number(/used_memory:(\d+)/.exec(await redis.info('memory'))?.[1]);
}

/** Returns the output of `syncline doctor`, with single spaces, whatever its exit status is. */
function doctor({ redisUrl, prefix, config }: SmallSystem): Promise<string> {
  const env = { REDIS_URL: redisUrl, SYNCLINE_PREFIX: prefix, SYNCLINE_CONFIG: config.path };
  const options = { cwd: projectRoot, env: { ...process.env, ...env } };
  return new Promise((resolve) => {
    execFile(nodeBinary(), [PROGRAMS.cli, 'doctor'], options, (_error, stdout) =>
      resolve(stdout.replace(/\s+/g, ' ')),
    );
  });
}

test('a registry that changes completely at each check cannot fill the store', async () => {
  const upstream = await startScriptedServer();
  upstream.answer('registry', (response) =>
    response.setHeader('content-type', 'application/json').end(randomRegistry(16)),
  );
  const hostile = {
    name: 'hostile',
    file: { url: `${upstream.url}/registry` },
    syncPolicy: { interval: '1s' },
    limits: { storedBytes: '1GiB' },
  };
  const system = await startOnSmallRedis([hostile]);
  const { client, redis, prefix, apiUrl } = system;
  await untilComplete(client, 'hostile');
  await untilRun(client, 'hostile', ({ error }) => error?.code === 'store-over-quota');
  await untilOnTime(system);

  const keys = redisKeys(prefix);
  const stored = await until(
    async () => {
      const samples = await readMetrics(apiUrl);
      const bytes = sumOf(samples, 'syncline_stored_bytes', 'registry="hostile"');
      // A failed publication may be under way.
      const isClean = (await redis.hlen(keys.snapshotManifests('hostile'))) === 1;
      expect(sumOf(samples, 'syncline_stored_bytes_limit')).toBe(LIMIT);
      return isClean && bytes > 0 && bytes;
    },
    { what: 'one snapshot of the hostile registry' },
  );
  expect(stored).toBeLessThan(LIMIT * 0.75);
  expect(await usedBytes(system)).toBeLessThan(MAX_MEMORY * 0.9);
  expect(await client.registry('hostile')).toMatchObject({
    status: { versionCount: 1_600, errorCode: 'store-over-quota' },
  });
  await untilOnTime(system);

  await redis.config('SET', 'maxmemory', String(10 * MAX_MEMORY));
  await untilRegistry(
    client,
    'hostile',
    ({ status }) => status.phase === 'Complete' && status.errorCode === undefined,
  );
});

test('a full Redis is named, hurts only publishing, and heals', async () => {
  const system = await startOnSmallRedis();
  const { client, redis, honest } = system;
  await untilComplete(client, 'honest');

  // Another program leaves so little memory that Syncline publishes nothing, but the queue still works.
  for (let key = 0; (await usedBytes(system)) < MAX_MEMORY * 0.92; key += 1) {
    await redis.set(`other ${key}`, Buffer.alloc(64_000));
  }
  honest.upsert(ROWS.slice(10, 12));
  const { id } = await untilRun(client, 'honest', ({ error }) => error?.code === 'store-full');
  await untilRun(client, 'honest', (run) => run.id !== id && run.error?.code === 'store-full');
  expect(await client.allServers('honest')).toHaveLength(10);
  expect(await doctor(system)).toMatch(/problem redis memory .* fail with store-full/);

  // Redis refuses all writes of the queue.
  await redis.config('SET', 'maxmemory', '1');
  const refused = await client.post('/v1/registries/honest/sync');
  expect(refused).toMatchObject({ status: 503, body: { code: 'store-full' } });
  expect(await client.allServers('honest')).toHaveLength(10);
  expect(await doctor(system)).toMatch(/Redis is full and refuses writes/);

  await redis.config('SET', 'maxmemory', String(10 * MAX_MEMORY));
  await untilRegistry(client, 'honest', ({ status }) => status.versionCount === 12);
  await untilOnTime(system);
  for (const worker of system.workers) expect(worker.running).toBe(true);
});
