import { writeFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseBody } from '@syncline/rows/parse';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { HttpClient } from '../http/http.ts';
import type { SourceContext, TakeBody } from '../source.ts';
import { localGuard } from '../testing/local-guard.ts';
import { type LocalServer, startLocalServer } from '../testing/local-server.ts';
import { sourceContext } from '../testing/source-context.ts';
import { ApiSource } from './api-source.ts';

let http: HttpClient;
beforeEach(() => {
  http = new HttpClient({ userAgent: () => undefined, guard: localGuard() });
  onTestFinished(() => http.close());
});

type Page = { rows: number; next?: string } | ((response: ServerResponse) => void);

/** A registry that serves each of `pages` for its cursor. */
async function serve(
  pages: Record<string, Page | Page[]>,
  { spelling = 'nextCursor' } = {},
): Promise<LocalServer> {
  return startLocalServer((request, response) => {
    const url = new URL(request.url ?? '', 'http://localhost');
    const found = pages[url.searchParams.get('cursor') ?? ''];
    const page = Array.isArray(found) ? (found.length > 1 ? found.shift() : found[0]) : found;
    if (page === undefined) response.writeHead(404).end();
    else if (typeof page === 'function') page(response);
    else {
      const servers = Array.from({ length: page.rows }, () => ({}));
      response.end(JSON.stringify({ servers, metadata: { [spelling]: page.next } }));
    }
  });
}

async function walk(endpoint: string, context: SourceContext = sourceContext()): Promise<number[]> {
  const pages: number[] = [];
  const source = new ApiSource({ endpoint, timeoutMs: 60_000, http });
  const { revision } = await source.fetch(async (body) => {
    const { format, rowCount, nextCursor } = parseBody(body);
    pages.push(rowCount);
    return { format, rowCount, nextCursor };
  }, context);
  expect(revision).toBeUndefined();
  return pages;
}

const fail =
  (status: number, headers: Record<string, string> = {}) =>
  (response: ServerResponse) =>
    void response.writeHead(status, headers).end();
/** Lets a retry start at once. */
const AT_ONCE = { 'retry-after': '0' };

describe('ApiSource', () => {
  test('walks all pages, including deleted servers', async () => {
    const server = await serve({
      '': { rows: 100, next: 'two' },
      two: { rows: 100, next: 'three' },
      three: { rows: 7 },
    });
    const context = sourceContext();
    expect(await walk(server.url, context)).toEqual([100, 100, 7]);
    expect(server.paths).toEqual([
      '/v0.1/servers?limit=100&include_deleted=true',
      '/v0.1/servers?limit=100&include_deleted=true&cursor=two',
      '/v0.1/servers?limit=100&include_deleted=true&cursor=three',
    ]);
    expect(context.upstream.requests).toBe(3);
    expect(context.reports.at(-1)).toBe('read 207 rows in 3 pages');
  });

  test('accepts an endpoint with a path and a trailing slash', async () => {
    const server = await serve({ '': { rows: 1 } });
    await walk(`${server.url}/registry/default//`);
    expect(server.paths[0]).toMatch(/^\/registry\/default\/v0\.1\/servers\?/);
  });

  test('accepts the older spelling of the cursor', async () => {
    const pages = { '': { rows: 1, next: 'two' }, two: { rows: 2 } };
    const server = await serve(pages, { spelling: 'next_cursor' });
    expect(await walk(server.url)).toEqual([1, 2]);
  });

  test('reads its credential again for each page', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'syncline-api-'));
    onTestFinished(() => rm(directory, { recursive: true, force: true }));
    const tokenFile = join(directory, 'token');
    await writeFile(tokenFile, 'first\n');
    const server = await serve({
      '': (response) => {
        writeFileSync(tokenFile, 'second\n');
        response.end(JSON.stringify({ servers: [], metadata: { nextCursor: 'two' } }));
      },
      two: { rows: 1 },
    });
    const access = { auth: { tokenFile }, headers: { 'X-Tenant': 'acme' } };
    const source = new ApiSource({ endpoint: server.url, timeoutMs: 60_000, http, access });
    const take: TakeBody = async (body) => {
      const { format, rowCount, nextCursor } = parseBody(body);
      return { format, rowCount, nextCursor };
    };
    await source.fetch(take, sourceContext());
    expect(server.headers.map(({ authorization }) => authorization)).toEqual([
      'Bearer first',
      'Bearer second',
    ]);
    expect(server.headers.every((headers) => headers['x-tenant'] === 'acme')).toBe(true);
  });

  test('gives up an endless walk', async () => {
    let page = 0;
    const server = await startLocalServer((_request, response) => {
      page += 1;
      response.end(JSON.stringify({ servers: [], metadata: { nextCursor: String(page) } }));
    });
    const source = new ApiSource({ endpoint: server.url, timeoutMs: 60_000, http, maxPages: 10 });
    const take: TakeBody = async (body) => ({
      format: 'registry-list',
      rowCount: 0,
      nextCursor: parseBody(body).nextCursor,
    });
    await expect(source.fetch(take, sourceContext())).rejects.toMatchObject({
      code: 'source-too-large',
      message: expect.stringContaining('more than 10 pages'),
    });
    expect(page).toBe(10);
  });

  test('sends the cursor back unchanged, whatever it contains', async () => {
    const cursor = 'io.github.acme/x:1.0.0+build &=%2F#?é😀';
    const server = await serve({ '': { rows: 1, next: cursor }, [cursor]: { rows: 2 } });
    expect(await walk(server.url)).toEqual([1, 2]);
  });

  test('continues after a page without rows', async () => {
    const server = await serve({ '': { rows: 0, next: 'two' }, two: { rows: 2 } });
    expect(await walk(server.url)).toEqual([0, 2]);
  });

  test('accepts a cursor of 8,192 characters, and rejects a longer one', async () => {
    const longest = 'x'.repeat(8_192);
    const server = await serve({
      '': { rows: 1, next: longest },
      [longest]: { rows: 1, next: 'y'.repeat(8_193) },
    });
    await expect(walk(server.url)).rejects.toMatchObject({
      code: 'source-cursor-too-long',
      message: 'the source returned a cursor of 8193 characters. The limit is 8192',
    });
  });

  test('ends the walk at a repeated cursor', async () => {
    const server = await serve({
      '': { rows: 1, next: 'a' },
      a: { rows: 1, next: 'b' },
      b: { rows: 1, next: 'a' },
    });
    await expect(walk(server.url)).rejects.toMatchObject({
      code: 'source-cursor-repeated',
      message: expect.stringContaining('"a"'),
    });
    expect(server.paths).toHaveLength(3);
  });

  test.each([
    ['500', fail(500, AT_ONCE)],
    ['503', fail(503, AT_ONCE)],
    ['429', fail(429, AT_ONCE)],
  ])('retries a page that answered %s, for a healthy registry', async (_status, failure) => {
    const server = await serve({
      '': { rows: 1, next: 'two' },
      two: [failure, failure, { rows: 2 }],
    });
    expect(await walk(server.url)).toEqual([1, 2]);
    expect(server.paths).toHaveLength(4);
  });

  test('requests a failing page three times at most', async () => {
    const server = await serve({ '': fail(500, AT_ONCE) });
    await expect(walk(server.url)).rejects.toMatchObject({ code: 'source-http-status' });
    expect(server.paths).toHaveLength(3);
  });

  test('waits a second between attempts without a Retry-After', async () => {
    const server = await serve({ '': [fail(500), { rows: 1 }] });
    const startMs = performance.now();
    expect(await walk(server.url)).toEqual([1]);
    expect(performance.now() - startMs).toBeGreaterThan(990);
  });

  test('ends at the first failed request if the registry already fails', async () => {
    const server = await serve({ '': [fail(500, AT_ONCE), { rows: 1 }] });
    const context = sourceContext({ consecutiveFailures: 1 });
    await expect(walk(server.url, context)).rejects.toMatchObject({ status: 500 });
    expect(server.paths).toHaveLength(1);
  });

  test('ends at once after an error that a retry cannot fix', async () => {
    const server = await serve({ '': fail(403) });
    await expect(walk(server.url)).rejects.toMatchObject({ status: 403 });
    expect(server.paths).toHaveLength(1);
  });

  test('ends at a Retry-After that is too long for a run, with the time of the next attempt', async () => {
    const server = await serve({ '': fail(429, { 'retry-after': '31' }) });
    await expect(walk(server.url)).rejects.toMatchObject({
      code: 'source-rate-limited',
      retryAfterMs: 31_000,
    });
    expect(server.paths).toHaveLength(1);
  });

  test('stops waiting between two attempts when aborted', async () => {
    const abort = new AbortController();
    const server = await serve({
      '': (response) => {
        response.writeHead(503, { 'retry-after': '20' }).end();
        setImmediate(() => abort.abort());
      },
    });
    const startMs = performance.now();
    await expect(walk(server.url, sourceContext({ signal: abort.signal }))).rejects.toThrow();
    // The walk has not waited for the 20 s of `retry-after`.
    expect(performance.now() - startMs).toBeLessThan(20_000);
  });

  test('has no cheap check and always walks', async () => {
    const source = new ApiSource({ endpoint: 'http://127.0.0.1:1', timeoutMs: 1, http });
    expect(await source.probe()).toEqual({ state: 'changed' });
  });
});
