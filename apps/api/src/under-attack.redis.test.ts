/** Attackers on one address, and other clients that must be served. */
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { request } from 'node:http';
import { connect } from 'node:net';
import { redisKeys } from '@syncline/contract';
import { createRedisSnapshotStore, publishConfig } from '@syncline/redis';
import { storeRows } from '@syncline/snapshot/testing';
import { freePort, PROGRAMS, startProcess, testRedis, until } from '@syncline/test/support';
import { expect, onTestFinished, test } from 'vitest';

const REGISTRIES = 3_000;
const LARGE_ROWS = 400;
const LARGE = '/registry/large/v0.1/servers';
const SMALL = '/registry/small/v0.1/servers';
const MIB = 1024 * 1024;

interface Answer {
  readonly status: number;
  readonly bytes: number;
}

/** Starts an api with a registry of 100 MB, a small one, and many others. */
async function setUp() {
  const { url, prefix, client } = testRedis();
  const keys = redisKeys(prefix);
  const names = Array.from({ length: REGISTRIES }, (_, index) => `r-${index}`);
  const registries = ['large', 'small', ...names].map((name) => ({
    name,
    file: { path: '/registry.json' },
  }));
  await publishConfig({ redis: client, keys }, { input: { registries } });
  const snapshots = createRedisSnapshotStore({ redis: client, keys });
  const publish = async (registry: string, count: number, description: string) => {
    await client.hset(keys.status(registry), { term: '1', owner: 'test' });
    const rows = Array.from({ length: count }, (_, index) => ({
      name: `a.b/s-${String(index).padStart(4, '0')}`,
      version: '1.0.0',
      description: `${index} ${description}`,
    }));
    const lease = { registry, term: '1', owner: 'test' };
    const { publication } = await storeRows(snapshots, { lease, rows, nowMs: Date.now() });
    await client.set(keys.snapshot(registry), publication.manifest);
  };
  await publish('large', LARGE_ROWS, 'lorem ipsum '.repeat(250_000 / 12));
  await publish('small', 100, 'does things');

  const port = await freePort();
  const env = { REDIS_URL: url, SYNCLINE_PREFIX: prefix, PORT: String(port), LOG_LEVEL: 'info' };
  const api = await startProcess({ name: 'api', entry: PROGRAMS.api, env });
  await api.waitForLog(({ msg }) => msg === 'started');
  const get = async (path: string, localAddress: string): Promise<Answer> => {
    const outgoing = request({ host: '127.0.0.1', port, path, localAddress, agent: false }).end();
    const [response] = await once(outgoing, 'response');
    let bytes = 0;
    for await (const part of response) bytes += part.length;
    return { status: response.statusCode, bytes };
  };
  await until(async () => (await get('/readiness', '127.0.0.2')).status === 200, {
    what: 'readiness',
  });
  return { api, port, get };
}

/** Returns the peak of a process's resident memory, in MiB. */
async function peakMemory(pid: number): Promise<number> {
  const [, kilobytes] =
    /^VmHWM:\s+(\d+)/m.exec(await readFile(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kilobytes) / 1_024;
}

test('other clients are served while attackers read large pages, search and list everything', async () => {
  const { api, get } = await setUp();
  const attacks = [
    ...Array.from({ length: 60 }, () => `${LARGE}?limit=100`),
    ...Array.from({ length: 20 }, (_, index) => `${LARGE}?search=none-${index}`),
    ...Array.from({ length: 20 }, () => '/v1/registries?limit=1000'),
    ...Array.from({ length: 20 }, () => '/metrics'),
  ];
  let ended = 0;
  const attack = Promise.all(
    attacks.map((path) =>
      get(path, '127.0.0.1').finally(() => {
        ended += 1;
      }),
    ),
  );
  const others: Answer[] = [];
  const endedBefore: number[] = [];
  for (const path of [
    '/health',
    `${SMALL}?limit=30`,
    '/v1/registries?limit=20',
    `${SMALL}?search=does`,
  ]) {
    endedBefore.push(ended);
    others.push(await get(path, '127.0.0.2'));
  }
  expect(others.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
  // The others did not wait for the end of the attack.
  expect(endedBefore.at(-1)).toBeLessThan(attacks.length);
  const answers = await attack;
  expect(new Set(answers.map(({ status }) => status)).difference(new Set([200, 503])).size).toBe(0);
  for (const { bytes } of answers) expect(bytes).toBeLessThan(1.5 * MIB);
  // Without limits, 60 pages of 25 MB and the cached rows alone take far more.
  expect(await peakMemory(api.pid)).toBeLessThan(900);
});

test('readers that never read, and pipelined requests, do not fill the memory', async () => {
  const { api, port, get } = await setUp();
  const attackers = Array.from({ length: 100 }, (_, index) => {
    const socket = connect({
      port,
      host: '127.0.0.1',
      localAddress: `127.0.1.${1 + (index % 10)}`,
    });
    onTestFinished(() => void socket.destroy());
    socket.on('error', () => {}).pause();
    const count = index % 2 === 0 ? 10 : 2_000;
    socket.write(`GET ${LARGE}?limit=100 HTTP/1.1\r\nHost: x\r\n\r\n`.repeat(count));
    return socket;
  });
  await Promise.all(
    attackers.map((socket) => socket.connecting && once(socket, 'connect').catch(() => {})),
  );
  for (let round = 0; round < 20; round += 1) {
    expect((await get('/health', '127.0.0.2')).status).toBe(200);
    expect((await get(`${SMALL}?limit=30`, '127.0.0.2')).status).toBe(200);
  }
  expect(await peakMemory(api.pid)).toBeLessThan(900);
});
