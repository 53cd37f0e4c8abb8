import { OFFICIAL_META, type ServedRow, SYNCLINE_META } from '@syncline/rows';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { MemoryWorld, serveApi } from './testing/memory-api.ts';

const CHECKED_AT = '2026-02-01T11:59:50.000Z';

function row(key: string, source: string, server: object = {}): ServedRow {
  const [name = '', version = ''] = key.split('@');
  const official = {
    status: 'active',
    publishedAt: '2026-01-01T00:00:00Z',
    updatedAt: '2026-01-01T00:00:00Z',
    isLatest: true,
  } as const;
  return {
    server: { name, version, description: 'does things', ...server },
    _meta: { [OFFICIAL_META]: official, [SYNCLINE_META]: { source } },
  };
}

let world: MemoryWorld;
let get: (path: string) => Promise<{ status: number; body: Record<string, unknown> }>;
beforeEach(async () => {
  world = new MemoryWorld({
    registries: [
      { name: 'internal', file: { path: '/internal.json' }, syncPolicy: { interval: '10s' } },
      { name: 'official', api: { endpoint: 'https://registry.example.com' } },
    ],
    catalogs: [
      { name: 'default', registries: ['internal', 'official'] },
      {
        name: 'narrow',
        registries: ['internal', 'official'],
        filter: { names: { include: ['b'] } },
      },
    ],
  });
  world.setStatus('internal', { phase: 'Complete', lastSuccessAt: CHECKED_AT });
  world.setStatus('official', { phase: 'Complete', lastSuccessAt: '2026-02-01T11:00:00.000Z' });
  world.setStatus('catalog.default', {
    phase: 'Complete',
    lastSuccessAt: CHECKED_AT,
    snapshot: 'c1',
  });
  const api = await serveApi(world.dependencies());
  onTestFinished(() => api[Symbol.asyncDispose]());
  get = async (path) => {
    const response = await fetch(`${api.url}${path}`);
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };
});

test('each row has the freshness of the registry that it came from', async () => {
  world.setStatus('internal', { lastSuccessAt: '2026-02-01T11:00:00.000Z' });
  world.state('catalog.default').rows = [
    row('a@1', 'internal'),
    row('b@1', 'official'),
    row('c@1', 'dropped'),
  ];
  const { body } = await get('/registry/default/v0.1/servers');
  const servers = body['servers'] as ServedRow[];
  expect(servers.map(({ _meta }) => _meta[SYNCLINE_META])).toEqual([
    { source: 'internal', syncedAt: '2026-02-01T11:00:00.000Z', stale: true },
    { source: 'official', syncedAt: '2026-02-01T11:00:00.000Z', stale: false },
    { source: 'dropped', stale: true },
  ]);
});

test('a catalog without a snapshot says which registry it waits for', async () => {
  world.setStatus('catalog.default', { message: 'waiting for the first sync of official' });
  expect(await get('/registry/default/v0.1/servers')).toMatchObject({
    status: 503,
    body: {
      code: 'catalog-not-ready',
      detail:
        'the catalog default has nothing to serve yet: waiting for the first sync of official',
    },
  });
});

test('a catalog shows how it was built, and is stale if one of its registries is', async () => {
  expect((await get('/v1/catalogs/default')).body).toMatchObject({
    name: 'default',
    registries: ['internal', 'official'],
    path: '/registry/default',
    snapshot: 'c1',
    stale: false,
    status: { phase: 'Complete', lastSuccessAt: CHECKED_AT },
  });
  world.setStatus('internal', { lastSuccessAt: '2026-02-01T11:00:00.000Z' });
  expect((await get('/v1/catalogs/default')).body).toMatchObject({ stale: true });
  expect((await get('/v1/catalogs/official')).body).toMatchObject({ registries: ['official'] });
  expect(await get('/v1/catalogs/nobody')).toMatchObject({
    status: 404,
    body: { code: 'unknown-catalog' },
  });
  const { body } = await get('/v1/catalogs');
  expect((body['catalogs'] as { name: string }[]).map(({ name }) => name)).toEqual([
    'default',
    'narrow',
    'internal',
    'official',
  ]);
});

describe('conflicts of a catalog', () => {
  beforeEach(() => {
    world.state('internal').rows = [
      row('a@1', 'internal', { title: 'A', packages: [] }),
      row('b@1', 'internal', { x: 1, y: 2 }),
      row('c@1', 'internal'),
      row('only@1', 'internal'),
    ];
    world.state('official').rows = [
      row('a@1', 'official', { title: 'B' }),
      row('b@1', 'official', { y: 2, x: 1 }),
      row('c@1', 'official', { description: 'other' }),
      row('c@2', 'official'),
    ];
  });

  const keys = ({ body }: Awaited<ReturnType<typeof get>>) =>
    (body['conflicts'] as { name: string; version: string }[]).map(
      (it) => `${it.name}@${it.version}`,
    );

  test('are versions whose registries differ, regardless of the order of object keys', async () => {
    const { body } = await get('/v1/catalogs/default/conflicts');
    expect(body).toEqual({
      conflicts: [
        {
          name: 'a',
          version: '1',
          served: 'internal',
          fields: ['packages', 'title'],
          bodies: [
            { registry: 'internal', digest: expect.stringMatching(/^[0-9a-f]{64}$/) },
            { registry: 'official', digest: expect.stringMatching(/^[0-9a-f]{64}$/) },
          ],
        },
        expect.objectContaining({ name: 'c', version: '1', fields: ['description'] }),
      ],
    });
  });

  test('are paginated', async () => {
    const first = await get('/v1/catalogs/default/conflicts?limit=1');
    expect(keys(first)).toEqual(['a@1']);
    const second = await get(
      `/v1/catalogs/default/conflicts?limit=1&cursor=${first.body['nextCursor']}`,
    );
    expect(keys(second)).toEqual(['c@1']);
    expect(second.body).not.toHaveProperty('nextCursor');
  });

  test('exclude rows that the filter removes', async () => {
    expect(keys(await get('/v1/catalogs/narrow/conflicts'))).toEqual([]);
  });

  test('are empty for a single registry, and before a registry was synced', async () => {
    expect(keys(await get('/v1/catalogs/official/conflicts'))).toEqual([]);
    world.state('official').rows = undefined;
    expect(keys(await get('/v1/catalogs/default/conflicts'))).toEqual([]);
  });

  test.each([
    'cursor=x',
    'cursor=WyJhIl0',
    'cursor=eyJuIjoiYSIsInYiOiIxIn0%3D',
    'limit=0',
    'limit=101',
  ])('with %s are rejected', async (query) => {
    expect(await get(`/v1/catalogs/default/conflicts?${query}`)).toMatchObject({
      status: 400,
      body: { code: 'bad-request' },
    });
  });
});
