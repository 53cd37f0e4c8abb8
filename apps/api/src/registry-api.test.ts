import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { OFFICIAL_META, type OfficialMeta, type ServedRow, SYNCLINE_META } from '@syncline/rows';
import type { ErrorBody, ServerList } from '@syncline/serving';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { MemoryWorld, serveApi } from './testing/memory-api.ts';
import { rawRequest } from './testing/request.ts';

const dataDir =
  process.env['SYNCLINE_TEST_DATA'] ?? path.join(import.meta.dirname, '../../../../shared/data');
const specPath = path.join(dataDir, 'spec/registry-openapi-145c2ec7.yaml');

function row(name: string, version: string, official: Partial<OfficialMeta> = {}): ServedRow {
  return {
    server: { name, version, description: `about ${name}`, unknown: { kept: true } },
    _meta: {
      [OFFICIAL_META]: {
        status: 'active',
        publishedAt: '2026-01-01T00:00:00Z',
        updatedAt: '2026-01-01T00:00:00Z',
        isLatest: true,
        ...official,
      },
      [SYNCLINE_META]: { source: 'official' },
    },
  };
}

const ROWS = [
  row('io.github.a/b', '1.0.0', { isLatest: false }),
  row('io.github.a/b', '1.0.0+2025 º', { isLatest: false, publishedAt: '2026-01-02T00:00:00Z' }),
  row('io.github.a/b', '{{VERSION}}', { isLatest: true, publishedAt: '2026-01-03T00:00:00Z' }),
  row('io.github.a/gone', '1.0.0', { status: 'deleted' }),
  row('io.github.c/d', '2.0.0'),
];

const world = new MemoryWorld({
  registries: [
    { name: 'official', api: { endpoint: 'https://registry.example.com' } },
    { name: 'empty', file: { path: '/registry.json' } },
  ],
  catalogs: [{ name: 'default', registries: ['official'] }],
});
world.state('official').rows = ROWS;
world.state('catalog.default').rows = ROWS;
world.setStatus('official', { lastSuccessAt: '2026-02-01T11:30:00.000Z' });

let api: Awaited<ReturnType<typeof serveApi>>;
beforeAll(async () => {
  api = await serveApi(world.dependencies());
});
afterAll(() => api[Symbol.asyncDispose]());

/** A list, a row or an error: the tests know which. */
type Body = ServerList & ServedRow & ErrorBody;

async function get(url: string) {
  const response = await fetch(`${api.url}${url}`);
  const body = (await response.json()) as Body;
  return { status: response.status, headers: response.headers, body };
}

const CORS_HEADERS = {
  'access-control-allow-origin': '*',
  'access-control-allow-methods': 'GET, OPTIONS',
  'access-control-allow-headers': 'Authorization, Content-Type',
};

describe.each(['v0.1', 'v0'])('the MCP Registry API %s', (version) => {
  const servers = `/registry/default/${version}/servers`;
  const name = 'io.github.a%2Fb';

  test('lists servers page by page', async () => {
    const first = await get(`${servers}?limit=3&source=cli`);
    expect(first.status).toBe(200);
    expect(first.body.metadata).toEqual({ count: 3, nextCursor: expect.any(String) });
    const second = await get(`${servers}?limit=3&cursor=${first.body.metadata.nextCursor}`);
    expect(second.body.metadata).toEqual({ count: 1 });
    expect(second.body.servers[0]?.server).toEqual(ROWS[4]?.server);
  });

  test('returns a row as stored, with its freshness', async () => {
    const { body } = await get(`${servers}/${name}/versions/1.0.0`);
    const [stored] = ROWS;
    expect(body).toEqual({
      server: stored?.server,
      _meta: {
        ...stored?._meta,
        [SYNCLINE_META]: { source: 'official', syncedAt: '2026-02-01T11:30:00.000Z', stale: false },
      },
    });
  });

  test.each([
    ['latest', '{{VERSION}}'],
    ['%7B%7BVERSION%7D%7D', '{{VERSION}}'],
    ['1.0.0%2B2025%20%C2%BA', '1.0.0+2025 º'],
    ['1.0.0+2025%20%C2%BA', '1.0.0+2025 º'],
  ])('finds the version %s', async (asked, found) => {
    const { status, text } = await rawRequest(api.port, {
      path: `${servers}/${name}/versions/${asked}`,
    });
    expect(status).toBe(200);
    expect(JSON.parse(text).server.version).toBe(found);
  });

  test('lists the versions of a server, newest first', async () => {
    const { body } = await get(`${servers}/${name}/versions`);
    expect(body.servers.map(({ server }) => server.version)).toEqual([
      '{{VERSION}}',
      '1.0.0+2025 º',
      '1.0.0',
    ]);
    expect(body.metadata).toEqual({ count: 3 });
  });

  test('returns deleted servers only on request', async () => {
    const gone = `${servers}/io.github.a%2Fgone/versions/latest`;
    expect((await get(gone)).status).toBe(404);
    expect((await get(`${gone}?include_deleted=true`)).status).toBe(200);
    expect((await get(`${servers}?include_deleted=true`)).body.metadata.count).toBe(5);
  });

  test.each([
    ['server of that name', `${servers}/nobody%2Fhere/versions/latest`, 'server-not-found'],
    [
      'server of that name to list versions of',
      `${servers}/nobody%2Fhere/versions`,
      'server-not-found',
    ],
    ['such version', `${servers}/${name}/versions/9.9.9`, 'server-not-found'],
    [
      'route for a name with an unencoded slash',
      `${servers}/io.github.a/b/versions/latest`,
      'unknown-route',
    ],
    ['such catalog', `/registry/nobody/${version}/servers`, 'unknown-catalog'],
    ['route for a server without a version', `${servers}/${name}`, 'unknown-route'],
  ])('answers 404 if there is no %s', async (_what, url, code) => {
    const { status, body, headers } = await get(url);
    expect(status).toBe(404);
    expect(body).toEqual({
      error: body.detail,
      title: 'Not Found',
      status: 404,
      detail: expect.any(String),
      code,
    });
    expect(Object.fromEntries(headers)).toMatchObject(CORS_HEADERS);
  });
});

const SERVERS = '/registry/default/v0.1/servers';

test('a registry is a catalog of its own name', async () => {
  expect((await get('/registry/official/v0.1/servers')).body.metadata.count).toBe(4);
});

test('a catalog that was never synced is not ready, not empty', async () => {
  const { status, body, headers } = await get('/registry/empty/v0.1/servers');
  expect(status).toBe(503);
  expect(body).toMatchObject({ code: 'catalog-not-ready' });
  expect(headers.get('retry-after')).toBe('5');
});

test.each([
  ['limit', 'limit=0'],
  ['limit', 'limit=101'],
  ['cursor', 'cursor=nonsense'],
  ['updated_since', 'updated_since=yesterday'],
  ['include_deleted', 'updated_since=2026-01-01T00:00:00Z&include_deleted=false'],
])('a 400 names %s: %s', async (field, query) => {
  const { status, body, headers } = await get(`${SERVERS}?${query}`);
  expect(status).toBe(400);
  expect(body).toMatchObject({ code: 'bad-request', detail: expect.stringContaining(field) });
  expect(headers.get('access-control-allow-origin')).toBe('*');
});

test.each([`${SERVERS}?search=a%00b`, `${SERVERS}/a%00b/versions`, `${SERVERS}/%ZZ/versions`])(
  '%s is answered with 400',
  async (url) => {
    const { status, text, headers } = await rawRequest(api.port, { path: url });
    expect(status).toBe(400);
    expect(JSON.parse(text).code).toBe('bad-request');
    expect(headers['access-control-allow-origin']).toBe('*');
  },
);

test('a preflight request is answered, for unknown paths too', async () => {
  for (const url of [SERVERS, `${SERVERS}/a%2Fb/versions/latest`, '/registry/nobody/x']) {
    const response = await fetch(`${api.url}${url}`, { method: 'OPTIONS' });
    expect(response.status).toBe(204);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      ...CORS_HEADERS,
      'access-control-max-age': '86400',
    });
  }
});

test('a body that the client already has is not sent again', async () => {
  const first = await get(SERVERS);
  const etag = first.headers.get('etag') ?? '';
  // `fetch` would request a full response, because it adds cache headers of its own.
  const again = await rawRequest(api.port, { path: SERVERS, headers: { 'if-none-match': etag } });
  expect(again.status).toBe(304);
  expect(again.headers).toMatchObject(CORS_HEADERS);
});

test('openapi.yaml describes the kind of registry at the path that clients read', async () => {
  const response = await fetch(`${api.url}/registry/default/openapi.yaml`);
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toBe('application/yaml; charset=utf-8');
  expect(parse(await response.text()).info.version).toBe('1.0.0');
});

test.skipIf(!existsSync(specPath))(
  'responses match the OpenAPI description of the MCP Registry API',
  async () => {
    const ajv = new Ajv2020({ strict: false, allErrors: true, validateFormats: false });
    ajv.addSchema({ ...parse(readFileSync(specPath, 'utf8')), $id: 'openapi' });
    const problems = (schema: string, body: unknown) => {
      ajv.validate({ $ref: `openapi#/components/schemas/${schema}` }, body);
      return ajv.errors ?? [];
    };
    const name = 'io.github.a%2Fb';
    const page = (await get(`${SERVERS}?limit=1`)).body;
    expect(problems('ServerList', page)).toEqual([]);
    expect(problems('ServerList', (await get(`${SERVERS}?search=nobody`)).body)).toEqual([]);
    expect(problems('ServerList', (await get(`${SERVERS}/${name}/versions`)).body)).toEqual([]);
    expect(
      problems('ServerResponse', (await get(`${SERVERS}/${name}/versions/latest`)).body),
    ).toEqual([]);
    // The check itself must be able to fail.
    expect(
      problems('ServerList', { ...page, metadata: { count: 1, nextCursor: null } }),
    ).not.toEqual([]);
  },
);

test.each([
  ['10m', true],
  ['31m', false],
])(
  'with staleAfter %s a row that was checked half an hour ago is stale: %s',
  async (staleAfter, stale) => {
    const aged = new MemoryWorld({
      registries: [
        { name: 'official', api: { endpoint: 'https://registry.example.com' }, staleAfter },
      ],
    });
    aged.state('official').rows = ROWS;
    aged.setStatus('official', { lastSuccessAt: '2026-02-01T11:30:00.000Z' });
    await using served = await serveApi(aged.dependencies());
    const response = await fetch(`${served.url}/registry/official/v0.1/servers`);
    const { servers } = (await response.json()) as Body;
    expect(servers.map(({ _meta }) => _meta[SYNCLINE_META].stale)).toEqual(
      servers.map(() => stale),
    );
    expect(servers.length).toBeGreaterThan(0);
  },
);
