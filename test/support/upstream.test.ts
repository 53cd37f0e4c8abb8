import { OFFICIAL_META } from '@syncline/rows';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { generateRows } from './rows/generate.ts';
import { rowKey } from './rows/row.ts';
import type { UpstreamRow } from './upstream/corpus.ts';
import { startUpstream } from './upstream.ts';

const pageSchema = z.object({
  servers: z.array(
    z.looseObject({ server: z.looseObject({ name: z.string(), version: z.string() }) }),
  ),
  metadata: z.strictObject({ count: z.int(), nextCursor: z.string().optional() }),
});

async function getPage(url: string) {
  const response = await fetch(url);
  expect(response.status, url).toBe(200);
  return pageSchema.parse(await response.json());
}

async function walk(url: string, parameters = '') {
  const keys: string[] = [];
  const counts: number[] = [];
  let cursor: string | undefined;
  do {
    const next = cursor === undefined ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    const page = await getPage(`${url}/v0.1/servers?${parameters}${next}`);
    keys.push(...page.servers.map(rowKey));
    counts.push(page.metadata.count);
    cursor = page.metadata.nextCursor;
  } while (cursor !== undefined);
  return { keys, counts };
}

interface RowOptions {
  readonly status?: string;
  readonly isLatest?: boolean;
  readonly publishedAt?: string;
  readonly updatedAt?: string;
  readonly description?: string;
}

function row(key: string, options: RowOptions = {}): UpstreamRow {
  const [name = '', version = ''] = key.split('@');
  const { description = 'd', ...official } = options;
  const publishedAt = '2026-01-01T00:00:00Z';
  return {
    server: { name, version, description },
    _meta: {
      [OFFICIAL_META]: {
        status: 'active',
        isLatest: true,
        publishedAt,
        updatedAt: publishedAt,
        ...official,
      },
    },
  };
}

describe('the server list of the test upstream', () => {
  test('has all rows in byte order, with an empty last page if the rows fill the pages', async () => {
    const rows = generateRows({ count: 300, seed: 3 });
    const upstream = await startUpstream({ rows: rows.toReversed() });
    const { keys, counts } = await walk(upstream.url, 'limit=100');
    expect(keys).toEqual(rows.map(rowKey));
    expect(counts).toEqual([100, 100, 100, 0]);
    expect((await walk(upstream.url)).counts).toEqual([...Array<number>(10).fill(30), 0]);
    expect((await walk(upstream.url, 'limit=99')).counts).toEqual([99, 99, 99, 3]);
  });

  test('has rows unchanged, also at /v0', async () => {
    const [first] = generateRows({ count: 1 });
    const upstream = await startUpstream({ rows: first === undefined ? [] : [first] });
    const response = await fetch(`${upstream.url}/v0/servers`);
    expect(response.headers.get('date')).not.toBeNull();
    const text = await response.text();
    expect(text).toContain(JSON.stringify(first));
  });

  test.each([
    ['limit=0', 422],
    ['limit=101', 422],
    ['limit=ten', 422],
    ['include_deleted=maybe', 422],
    ['updated_since=yesterday', 400],
    ['updated_since=2026-01-01T00:00:00Z&include_deleted=false', 400],
    ['cursor=%00', 400],
  ])('rejects %s with %d', async (parameters, status) => {
    const upstream = await startUpstream();
    const response = await fetch(`${upstream.url}/v0.1/servers?${parameters}`);
    expect(response.status).toBe(status);
    expect(response.headers.get('content-type')).toBe('application/problem+json');
    expect(await response.json()).toMatchObject({ status, title: expect.any(String) });
  });

  test('has cursors that remain valid when their row is removed, and can be only a name', async () => {
    const upstream = await startUpstream({
      rows: ['a/a@1', 'b/b@1', 'b/b@2', 'c/c@1'].map((key) => row(key)),
    });
    const first = await getPage(`${upstream.url}/v0.1/servers?limit=2`);
    expect(first.metadata.nextCursor).toBe('b/b:1');
    upstream.remove(['b/b@1']);
    expect((await walk(upstream.url, 'cursor=b/b:1')).keys).toEqual(['b/b@2', 'c/c@1']);
    expect((await walk(upstream.url, 'cursor=b/b')).keys).toEqual(['c/c@1']);
  });

  test('filters by search, version, time and deletion', async () => {
    const upstream = await startUpstream({
      rows: [
        row('a/a@1.0.0', { isLatest: false, updatedAt: '2026-02-01T00:00:00.5Z' }),
        row('a/a@1.1.0', { description: 'Reads the WEATHER' }),
        row('b/weather@1.0.0', { updatedAt: '2026-02-01T02:00:00.500001+02:00' }),
        row('c/c@1.0.0', { status: 'deleted', updatedAt: '2026-03-01T00:00:00Z' }),
      ],
    });
    const keys = async (parameters: string) => (await walk(upstream.url, parameters)).keys;
    expect(await keys('search=Weather')).toEqual(['a/a@1.1.0', 'b/weather@1.0.0']);
    expect(await keys('version=latest')).toEqual(['a/a@1.1.0', 'b/weather@1.0.0']);
    expect(await keys('version=1.0.0')).toEqual(['a/a@1.0.0', 'b/weather@1.0.0']);
    expect(await keys('include_deleted=true')).toHaveLength(4);
    expect(await keys('updated_since=2026-02-01T00:00:00.50Z')).toEqual([
      'b/weather@1.0.0',
      'c/c@1.0.0',
    ]);
    expect(await keys('updated_since=2026-02-01T00:00:00.500001Z&limit=1')).toEqual(['c/c@1.0.0']);
    expect(await keys('search=nothing')).toEqual([]);
  });
});

describe('the versions of a server', () => {
  const rows = [
    row('io.x/a@1.0.0', { isLatest: false, publishedAt: '2026-01-01T00:00:00Z' }),
    row('io.x/a@1.0.0+b', { isLatest: false, publishedAt: '2026-01-03T00:00:00Z' }),
    row('io.x/a@2.0.0', { status: 'deleted', publishedAt: '2026-01-02T00:00:00Z' }),
    row('io.x/ab@1.0.0'),
  ];

  test('are listed newest first, without the deleted ones', async () => {
    const { url } = await startUpstream({ rows });
    const page = await getPage(`${url}/v0.1/servers/io.x%2Fa/versions`);
    expect(page.servers.map(rowKey)).toEqual(['io.x/a@1.0.0+b', 'io.x/a@1.0.0']);
    expect(page.metadata).toEqual({ count: 2 });
  });

  test.each([
    ['1.0.0%2Bb', '1.0.0+b'],
    ['latest', '1.0.0+b'],
    ['latest?include_deleted=true', '2.0.0'],
    ['2.0.0', 404],
    ['3.0.0', 404],
  ])('are found by %s: %s', async (version, expected) => {
    const { url } = await startUpstream({ rows });
    const response = await fetch(`${url}/v0.1/servers/io.x%2Fa/versions/${version}`);
    if (typeof expected === 'number') expect(response.status).toBe(expected);
    else expect(await response.json()).toMatchObject({ server: { version: expected } });
  });

  test('are not found by an unknown name or path, and a trailing slash redirects', async () => {
    const { url } = await startUpstream({ rows });
    expect((await fetch(`${url}/v0.1/servers/io.x%2Fz/versions`)).status).toBe(404);
    expect((await fetch(`${url}/v0.1/servers/io.x/a/versions`)).status).toBe(404);
    expect((await fetch(`${url}/v1/servers`)).status).toBe(404);
    const redirected = await fetch(`${url}/v0.1/servers/?limit=1`, { redirect: 'manual' });
    expect(redirected.status).toBe(308);
    expect(redirected.headers.get('location')).toBe('/v0.1/servers?limit=1');
  });
});

describe('scripted behaviours of the test upstream', () => {
  const rows = ['a/a@1', 'b/b@1', 'c/c@1'].map((key) => row(key));

  test('can answer a given number of requests with a status', async () => {
    const upstream = await startUpstream({ rows });
    const script = upstream.behave(
      { kind: 'status', status: 429, headers: { 'retry-after': '7' } },
      { times: 2, when: ({ path }) => path === '/v0.1/servers' },
    );
    const statuses: number[] = [];
    for (const path of ['/v0/servers', '/v0.1/servers', '/v0.1/servers', '/v0.1/servers']) {
      const response = await fetch(upstream.url + path);
      statuses.push(response.status);
      if (response.status === 429) expect(response.headers.get('retry-after')).toBe('7');
    }
    expect(statuses).toEqual([200, 429, 429, 200]);
    expect(script.applied.map(({ number }) => number)).toEqual([2, 3]);
  });

  test('can send truncated, broken, HTML or endless bodies', async () => {
    const upstream = await startUpstream({ rows });
    const url = `${upstream.url}/v0.1/servers`;
    upstream.behave({ kind: 'truncated-json' });
    await expect((await fetch(url)).json()).rejects.toThrow(SyntaxError);
    upstream.behave({ kind: 'broken-connection' });
    await expect((await fetch(url)).text()).rejects.toThrow('terminated');
    upstream.behave({ kind: 'html' });
    expect((await fetch(url)).headers.get('content-type')).toContain('text/html');

    upstream.behave({ kind: 'endless-body' });
    const reader = (await fetch(url)).body?.getReader();
    let read = 0;
    while (read < 10_000_000) read += (await reader?.read())?.value?.length ?? Number.NaN;
    await reader?.cancel();
    expect(await upstream.requests.at(-1)?.ended).toBe('aborted');
  });

  test('can repeat a cursor, or send it under the older spelling', async () => {
    const upstream = await startUpstream({ rows });
    upstream.behave({ kind: 'repeated-cursor' }, { times: Number.POSITIVE_INFINITY });
    const url = `${upstream.url}/v0.1/servers?limit=1`;
    const { metadata } = await getPage(url);
    const second = await getPage(`${url}&cursor=${metadata.nextCursor}`);
    expect(second.metadata.nextCursor).toBe(metadata.nextCursor);
    upstream.behaveWell();
    upstream.behave({ kind: 'next_cursor' });
    expect(await (await fetch(url)).json()).toMatchObject({ metadata: { next_cursor: 'a/a:1' } });
  });

  test('can hold a request until it is released, and then answer with the current data', async () => {
    const upstream = await startUpstream({ rows });
    const gate = upstream.hold();
    const response = fetch(`${upstream.url}/v0.1/servers`);
    expect((await gate.arrived).number).toBe(1);
    expect((await upstream.arrival(1)).target).toBe('/v0.1/servers');
    expect(gate.waiting).toBe(1);
    upstream.replace([row('z/z@1')]);
    gate.release();
    expect(pageSchema.parse(await (await response).json()).servers.map(rowKey)).toEqual(['z/z@1']);
  });

  test('can see that the client aborted a held request', async () => {
    const upstream = await startUpstream({ rows });
    const gate = upstream.hold();
    const abort = new AbortController();
    const response = fetch(upstream.url, { signal: abort.signal });
    const request = await gate.arrived;
    abort.abort();
    await expect(response).rejects.toThrow('aborted');
    expect(await request.ended).toBe('aborted');
  });

  test('can close without waiting for held requests, and free the port', async () => {
    const upstream = await startUpstream({ rows });
    const gate = upstream.hold();
    const response = fetch(upstream.url).catch((error: unknown) => error);
    await gate.arrived;
    await upstream.close();
    expect(await response).toBeInstanceOf(TypeError);
    const again = await startUpstream({ rows, port: upstream.port });
    expect((await walk(again.url)).keys).toHaveLength(3);
  });
});
