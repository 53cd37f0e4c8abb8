import { createHash } from 'node:crypto';
import { zstdCompressSync } from 'node:zlib';
import { type RedisKeys, redisKeys } from '@syncline/contract';
import type { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import { connect } from '../support/redis.ts';
import { type RegistryFile, writeRegistryFile } from '../support/registry-file.ts';
import { generateRows } from '../support/rows/generate.ts';
import { type System, startSystem } from '../support/system.ts';
import { untilComplete, untilRegistry } from '../support/until-registry.ts';

const ROWS = generateRows({ count: 200, seed: 61 });

async function start(
  names: readonly string[],
): Promise<System & { redis: Redis; keys: RedisKeys; file: RegistryFile }> {
  const file = await writeRegistryFile(ROWS);
  const registries = names.map((name) => ({
    name,
    file: { path: file.path },
    syncPolicy: { interval: '12h' },
  }));
  const system = await startSystem({ config: { registries }, workers: 1 });
  for (const name of names) await untilComplete(system.client, name);
  return { ...system, file, redis: connect(system.redisUrl), keys: redisKeys(system.prefix) };
}

function expectAllRunning({ schedulers, workers, api }: System): void {
  for (const process of [...schedulers, ...workers, api]) {
    expect(process.running, `${process.name}:\n${process.output.tail()}`).toBe(true);
  }
}

type Damage = (redis: Redis, keys: RedisKeys, name: string) => Promise<unknown>;

/** Replaces the served manifest by other bytes, under their own digest. */
const serveManifest = async (redis: Redis, keys: RedisKeys, [name, bytes]: [string, Buffer]) => {
  const digest = createHash('sha256').update(bytes).digest('hex');
  await redis.hset(keys.snapshotManifests(name), digest, bytes);
  await redis.hset(keys.status(name), 'snapshot', digest);
  await redis.set(keys.snapshot(name), digest);
};

// `{v: 2}` in MessagePack.
const NEWER_MANIFEST = zstdCompressSync(Buffer.from([0x81, 0xa1, 0x76, 0x02]));

const DAMAGES: Readonly<Record<string, Damage>> = {
  'bad-chunk': async (redis, keys, name) => {
    for (const digest of await redis.hkeys(keys.snapshotChunks(name))) {
      await redis.hset(keys.snapshotChunks(name), digest, 'not what the digest says');
    }
  },
  'newer-manifest': (redis, keys, name) => serveManifest(redis, keys, [name, NEWER_MANIFEST]),
  'cut-manifest': async (redis, keys, name) => {
    const digest = (await redis.get(keys.snapshot(name))) ?? '';
    const bytes = await redis.hgetBuffer(keys.snapshotManifests(name), digest);
    await redis.hset(keys.snapshotManifests(name), digest, bytes?.subarray(0, 40) ?? '');
  },
};

test('unusual text and keys are served over HTTP unchanged', async () => {
  const system = await start(['fine']);
  const odd = { description: 'half \ud800, NUL \0', ['__proto__']: { x: 1 }, constructor: 7 };
  const server = { name: 'a.b/odd', version: '1', ...odd };
  await system.file.replace([
    ...ROWS,
    { server: Object.assign(JSON.parse('{"__proto__":{"x":1}}'), server), _meta: {} },
  ]);
  await system.client.sync('fine');
  const response = await fetch(`${system.apiUrl}/registry/fine/v0.1/servers/a.b%2Fodd/versions/1`);
  const text = await response.text();
  expect(response.status).toBe(200);
  expect(text).toContain('"description":"half \\ud800, NUL \\u0000"');
  expect(text).toContain('"__proto__":{"x":1}');
  expect(text).toContain('"constructor":7');
});

test('a damaged snapshot is reported, and the next full sync repairs it', async () => {
  const system = await start([...Object.keys(DAMAGES), 'fine']);
  const { client, redis, keys } = system;
  for (const [name, damage] of Object.entries(DAMAGES)) {
    await damage(redis, keys, name);
    expect(await client.get(`/registry/${name}/v0.1/servers`)).toMatchObject({
      status: 500,
      body: { code: 'snapshot-corrupt' },
    });
    expect(await client.allServers('fine')).toHaveLength(ROWS.length);
    expect(await client.sync(name, { force: true })).toMatchObject({ outcome: 'published' });
    expect(await client.allServers(name)).toHaveLength(ROWS.length);
    expect(await client.sync(name, { force: true })).toMatchObject({ outcome: 'unchanged' });
  }
  expectAllRunning(system);
});

const REGISTRY_KEYS = [
  'status',
  'control',
  'runs',
  'snapshot',
  'snapshotManifests',
  'snapshotChunks',
  'snapshotHistory',
] as const;

test('a key of a wrong Redis type fails its own registry with a reason, and no other', async () => {
  const nameOf = (key: (typeof REGISTRY_KEYS)[number]) => key.toLowerCase();
  const system = await start([...REGISTRY_KEYS.map(nameOf), 'fine']);
  const { client, redis, keys } = system;
  for (const [index, key] of REGISTRY_KEYS.entries()) {
    await system.file.replace(generateRows({ count: ROWS.length, seed: 62 + index }));
    const name = nameOf(key);
    const spoilt = keys[key](name);
    await redis.del(spoilt);
    await redis.sadd(spoilt, 'not ours');
    // If the damage prevents counting the request, the response says so. Otherwise a run finds it.
    await client.post(`/v1/registries/${name}/sync`, { force: true });
    const failed = await untilRegistry(client, name, (it) => it.status.errorCode !== undefined);
    expect(failed.status).toMatchObject({
      phase: 'Failed',
      errorCode: 'store-corrupt',
      message: expect.stringContaining(`the key ${spoilt} is a set, but must be a `),
    });
    expect((await client.sync('fine')).outcome).toBe('published');
    expect((await client.get('/v1/registries')).status).toBe(200);

    await redis.del(spoilt);
    await client.sync(name, { force: true });
    expect((await untilComplete(client, name)).status.versionCount).toBe(ROWS.length);
    expect(await client.allServers(name)).toHaveLength(ROWS.length);
  }
  expectAllRunning(system);
});
