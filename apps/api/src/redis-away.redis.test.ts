import { redisKeys } from '@syncline/contract';
import {
  connectRedis,
  createRedisRunStore,
  createRedisSnapshotStore,
  publishConfig,
  type Redis,
} from '@syncline/redis';
import { storeRows } from '@syncline/snapshot/testing';
import { acquire } from '@syncline/sync/testing';
import { processContext, startRedisServer, until } from '@syncline/test/support';
import { expect, onTestFinished, test } from 'vitest';
import { startApi } from './start-api.ts';
import { OPERATE_TOKEN_FILE, OPERATOR } from './testing/access.ts';

const keys = redisKeys('syncline');

const ROWS = Array.from({ length: 250 }, (_, index) => ({
  name: `com.example/server-${String(index).padStart(3, '0')}`,
  version: '1.0.0',
  description: 'does things',
}));

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: {
    code?: string;
    servers: {
      server: { name: string; version: string };
      _meta: Record<string, { stale: boolean }>;
    }[];
    metadata: { nextCursor?: string };
  };
}

/** An api and a Redis of its own, in which one registry is published. */
async function setUp() {
  const server = await startRedisServer();
  const redis = connectRedis({ url: server.url, manner: 'patient', onError: () => {} });
  onTestFinished(() => redis.disconnect());
  const registries = ['local', 'unread'].map((name) => ({
    name,
    file: { path: '/registry.json' },
    staleAfter: '2s',
  }));
  await publishConfig({ redis, keys }, { input: { registries } });
  await publish(redis, 'local', ROWS);
  await publish(redis, 'unread', ROWS);
  const api = await startApi(
    processContext('api', {
      redisUrl: server.url,
      prefix: 'syncline',
      adminTokenFile: OPERATE_TOKEN_FILE,
    }),
  );
  onTestFinished(() => api.stop());
  const ask = async (route: string, init: RequestInit = {}): Promise<Answer> => {
    const response = await fetch(`http://127.0.0.1:${api.port}${route}`, init);
    // The fields that these tests check.
    const body = (await response.json()) as Answer['body'];
    return { status: response.status, headers: response.headers, body };
  };
  await until(async () => (await ask('/readiness')).status === 200, { what: 'readiness' });
  return { server, redis, ask };
}

async function publish(redis: Redis, registry: string, rows: readonly object[]): Promise<void> {
  const runStore = createRedisRunStore({ redis, keys });
  const snapshots = createRedisSnapshotStore({ redis, keys });
  const { lease, nowMs } = await acquire({ runStore }, registry);
  const { publication } = await storeRows(snapshots, { lease, rows, nowMs });
  const changes = { phase: 'Complete', lastSuccessAt: new Date(nowMs).toISOString() } as const;
  await runStore.publishAndFinish(lease, { changes }, publication);
}

type Ask = Awaited<ReturnType<typeof setUp>>['ask'];

/** All pages, from a cursor on, as a mirror reads them. */
async function walk(ask: Ask, registry: string, from?: string): Promise<string[]> {
  const names: string[] = [];
  let cursor = from;
  do {
    const query = cursor === undefined ? '' : `&cursor=${cursor}`;
    const { status, body } = await ask(`/registry/${registry}/v0.1/servers?limit=100${query}`);
    expect(status).toBe(200);
    names.push(...body.servers.map((row) => row.server.name));
    cursor = body.metadata.nextCursor;
  } while (cursor !== undefined);
  return names;
}

const PAGE = '/registry/local/v0.1/servers?limit=100';
const asOf = ({ headers }: Answer) => headers.get('x-syncline-as-of');
const isStale = ({ body }: Answer) => body.servers[0]?._meta['dev.syncline/sync']?.stale;

async function untilFresh(ask: Ask): Promise<Answer> {
  return until(
    async () => {
      const page = await ask(PAGE);
      return page.status === 200 && asOf(page) === null && page;
    },
    { what: 'a response with fresh data' },
  );
}

test('rows that were read before are served with their age while Redis is away, and fresh afterwards', async () => {
  const begunAtMs = Date.now() - 1_000;
  const { server, redis, ask } = await setUp();
  const first = await ask(PAGE);
  expect([first.status, asOf(first), first.headers.get('age')]).toEqual([200, null, null]);
  expect(await walk(ask, 'local')).toHaveLength(ROWS.length);

  await server.kill();
  const away = await until(
    async () => {
      const page = await ask(PAGE);
      return asOf(page) !== null && page;
    },
    { what: 'the api to notice that Redis is away' },
  );
  expect(away.status).toBe(200);
  expect(away.headers.get('age')).toMatch(/^\d+$/);
  expect(Date.parse(asOf(away) ?? '')).toBeGreaterThanOrEqual(begunAtMs);
  expect(Date.parse(asOf(away) ?? '')).toBeLessThanOrEqual(Date.now());
  // A walk that began before the outage ends with the same snapshot.
  const rest = await walk(ask, 'local', first.body.metadata.nextCursor);
  expect(rest).toEqual(ROWS.slice(100).map(({ name }) => name));
  const one = await ask(
    `/registry/local/v0.1/servers/${encodeURIComponent(rest[0] ?? '')}/versions/latest`,
  );
  expect([one.status, asOf(one)]).toEqual([200, expect.any(String)]);
  // Time passes: the copy becomes stale although Redis is away.
  const old = await until(
    async () => {
      const page = await ask(PAGE);
      return isStale(page) && Number(page.headers.get('age')) >= 1 && page;
    },
    { what: 'the copy to be stale, and a second old' },
  );
  expect(Date.parse(asOf(old) ?? '')).toBeLessThanOrEqual(Date.parse(asOf(away) ?? '') + 100);

  // A registry that was never read is unknown.
  const unread = await ask('/registry/unread/v0.1/servers');
  expect([unread.status, unread.body.code]).toEqual([503, 'store-unavailable']);
  expect(unread.headers.get('retry-after')).toBe('2');

  await server.start();
  await publish(redis, 'local', ROWS.slice(1));
  await untilFresh(ask);
  expect(await walk(ask, 'local')).toEqual(ROWS.slice(1).map(({ name }) => name));
});

test('a page whose chunks were never read is an error, not half a page, while Redis is away', async () => {
  const { server, ask } = await setUp();
  const first = await ask('/registry/local/v0.1/servers?limit=1');
  expect(first.status).toBe(200);
  await server.kill();
  const statuses = new Set<number>();
  let cursor: string | undefined;
  let read = 0;
  for (;;) {
    const query = cursor === undefined ? '' : `&cursor=${cursor}`;
    const { status, body } = await ask(`/registry/local/v0.1/servers?limit=1${query}`);
    statuses.add(status);
    if (status !== 200) {
      expect(body.code).toBe('store-unavailable');
      break;
    }
    read += body.servers.length;
    cursor = body.metadata.nextCursor;
    if (cursor === undefined) break;
  }
  expect([...statuses]).toEqual([200, 503]);
  expect(read).toBeLessThan(ROWS.length);
});

test('the newest snapshot that was read is the one served while Redis is away', async () => {
  const { server, redis, ask } = await setUp();
  await walk(ask, 'local');
  await publish(redis, 'local', ROWS.slice(0, 5));
  expect(await walk(ask, 'local')).toHaveLength(5);
  await server.kill();
  await until(async () => asOf(await ask(PAGE)), { what: 'the api to notice that Redis is away' });
  expect(await walk(ask, 'local')).toHaveLength(5);
});

const WRITES = ['sync', 'suspend', 'resume', 'preview', 'rollback', 'approve'] as const;

/** All that needs Redis, at once. */
async function askAll(ask: Ask) {
  const post = (route: string, body: object) =>
    ask(route, {
      method: 'POST',
      headers: { ...OPERATOR, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  const bodyOf = (name: string) => (/rollback|approve/.test(name) ? { snapshot: 'abc' } : {});
  return Promise.all([
    ...WRITES.map((name) => post(`/v1/registries/local/${name}`, bodyOf(name))),
    post('/v1/sync', {}),
    ask('/v1/registries'),
    ask('/v1/registries/local'),
    ask('/v1/registries/local/runs'),
    ask('/v1/catalogs'),
  ]);
}

test.each(['killed', 'hung'] as const)(
  'while Redis is %s, requests for the state fail fast and copies are served, and all recovers afterwards',
  async (how) => {
    const { server, ask } = await setUp();
    await walk(ask, 'local');
    if (how === 'killed') await server.kill();
    else server.pause();

    // Twice: with a connection that has not noticed, and with one that has.
    for (let time = 1; time <= 2; time += 1) {
      // Redis is away until the test brings it back, so a request that waits for it would never end.
      for (const { status, body, headers } of await askAll(ask)) {
        expect([status, body.code]).toEqual([503, 'store-unavailable']);
        expect(headers.get('retry-after')).toBe('2');
      }
    }
    const ready = await until(
      async () => {
        const { status, body } = await ask('/readiness');
        return status === 503 && JSON.stringify(body);
      },
      { what: 'the process to report that Redis is away' },
    );
    expect(ready).toMatch(/Redis is \w+/);
    expect((await ask('/health')).status).toBe(200);
    expect(await walk(ask, 'local')).toHaveLength(ROWS.length);

    if (how === 'killed') await server.start();
    else server.resume();
    await untilFresh(ask);
    expect((await ask('/v1/registries')).status).toBe(200);
    expect(
      (await ask('/v1/registries/local/sync', { method: 'POST', headers: OPERATOR })).status,
    ).toBe(202);
  },
);
