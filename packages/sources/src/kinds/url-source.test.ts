import type { IncomingMessage, ServerResponse } from 'node:http';
import type { BodyOrigin } from '@syncline/rows';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { HttpClient } from '../http/http.ts';
import { parseRevision } from '../http/validators.ts';
import type { SourceContext } from '../source.ts';
import { localGuard } from '../testing/local-guard.ts';
import { type LocalServer, startLocalServer } from '../testing/local-server.ts';
import { sourceContext } from '../testing/source-context.ts';
import { UrlSource } from './url-source.ts';

const HOUR_AGO = new Date(Date.now() - 3_600_000).toUTCString();

let http: HttpClient;
beforeEach(() => {
  http = new HttpClient({ userAgent: () => undefined, guard: localGuard() });
  onTestFinished(() => http.close());
});

interface Served {
  body: string;
  etag?: string;
  lastModified?: string;
}

/** A server of one file, which handles conditional requests as usual servers do. */
async function serveFile(
  file: Served,
): Promise<LocalServer & { file: Served; statuses: readonly number[] }> {
  const statuses: number[] = [];
  const answer = (request: IncomingMessage, response: ServerResponse) => {
    const { body, etag, lastModified } = file;
    if (etag !== undefined) response.setHeader('etag', etag);
    if (lastModified !== undefined) response.setHeader('last-modified', lastModified);
    const isKnown =
      (etag !== undefined && request.headers['if-none-match'] === etag) ||
      (lastModified !== undefined && request.headers['if-modified-since'] === lastModified);
    statuses.push(isKnown ? 304 : 200);
    response.writeHead(isKnown ? 304 : 200).end(isKnown ? undefined : body);
  };
  return Object.assign(await startLocalServer(answer), { file, statuses });
}

function source(url: string): UrlSource {
  return new UrlSource({ url, timeoutMs: 60_000, http });
}

async function fetch(from: UrlSource, context: SourceContext = sourceContext()) {
  const bodies: string[] = [];
  const origins: (BodyOrigin | undefined)[] = [];
  const { revision } = await from.fetch(async (body, origin) => {
    bodies.push(Buffer.from(body).toString());
    origins.push(origin);
    return { format: 'registry-list', rowCount: 1, nextCursor: undefined };
  }, context);
  return { bodies, origins, revision, upstream: context.upstream };
}

describe('UrlSource', () => {
  test('returns the body, and a revision of validators and digest', async () => {
    const server = await serveFile({ body: 'one', etag: '"1"', lastModified: HOUR_AGO });
    const { bodies, revision, upstream } = await fetch(source(`${server.url}/registry.json?a=b`));
    expect(bodies).toEqual(['one']);
    expect(parseRevision(revision)).toEqual({
      digest: expect.stringMatching(/^[0-9a-f]{64}$/),
      etag: '"1"',
      lastModified: HOUR_AGO,
    });
    expect(upstream).toEqual({ requests: 1, bytes: 3 });
    expect(server.paths).toEqual(['/registry.json?a=b']);
    expect(server.headers[0]).toMatchObject({ accept: expect.stringContaining('yaml') });
  });

  test.each<[validator: string, served: Served, asked: string]>([
    ['an entity tag', { body: 'one', etag: '"1"' }, 'if-none-match'],
    ['a weak entity tag', { body: 'one', etag: 'W/"1"' }, 'if-none-match'],
    ['a modification time', { body: 'one', lastModified: HOUR_AGO }, 'if-modified-since'],
    ['both', { body: 'one', etag: '"1"', lastModified: HOUR_AGO }, 'if-none-match'],
  ])(
    'does not download an unchanged body again if the server sends %s',
    async (_validator, served, asked) => {
      const server = await serveFile(served);
      const { revision } = await fetch(source(server.url));
      const context = sourceContext();
      expect(await source(server.url).probe(revision, context)).toEqual({ state: 'unchanged' });
      expect(server.statuses).toEqual([200, 304]);
      expect(context.upstream).toEqual({ requests: 1, bytes: 0 });
      const sent = Object.keys(server.headers[1] ?? {}).filter((name) => name.startsWith('if-'));
      expect(sent).toEqual([asked]);
    },
  );

  test('compares digests if the server sends no validators', async () => {
    const server = await serveFile({ body: 'one' });
    const { revision } = await fetch(source(server.url));
    expect(await source(server.url).probe(revision, sourceContext())).toEqual({
      state: 'unchanged',
    });
    server.file.body = 'two';
    expect(await source(server.url).probe(revision, sourceContext())).toEqual({ state: 'changed' });
  });

  test('stores a new validator of an unchanged body, and reports no change', async () => {
    const server = await serveFile({ body: 'one', etag: '"1"' });
    const { revision } = await fetch(source(server.url));
    server.file.etag = '"2"';
    const probe = await source(server.url).probe(revision, sourceContext());
    expect(probe).toEqual({ state: 'unchanged', revision: expect.stringContaining('\\"2\\"') });
    const newer = 'revision' in probe ? (probe.revision ?? '') : '';
    await source(server.url).probe(newer, sourceContext());
    expect(server.statuses).toEqual([200, 200, 304]);
  });

  test('fetches without another request what the probe has read', async () => {
    const server = await serveFile({ body: 'one', etag: '"1"' });
    const { revision } = await fetch(source(server.url));
    Object.assign(server.file, { body: 'two', etag: '"2"' });
    const changed = source(server.url);
    const context = sourceContext();
    expect(await changed.probe(revision, context)).toEqual({ state: 'changed' });
    const fetched = await fetch(changed, context);
    expect(fetched).toMatchObject({ bodies: ['two'], upstream: { requests: 1 } });
    expect(parseRevision(fetched.revision)?.etag).toBe('"2"');
    expect((await fetch(changed, context)).bodies).toEqual(['two']);
    expect(context.upstream.requests).toBe(2);
  });

  test('hashes a very large body in the probe, and downloads it again in the fetch', async () => {
    const body = 'x'.repeat(70 * 1024 * 1024);
    const server = await serveFile({ body: 'one' });
    const { revision } = await fetch(source(server.url));
    server.file.body = body;
    const changed = source(server.url);
    const context = sourceContext();
    expect(await changed.probe(revision, context)).toEqual({ state: 'changed' });
    const fetched = await fetch(changed, context);
    expect(fetched.bodies[0]).toHaveLength(body.length);
    expect(context.upstream.requests).toBe(2);
    const again = await source(server.url).probe(fetched.revision, sourceContext());
    expect(again).toEqual({ state: 'unchanged' });
  });

  test('lets configured headers override its own, in any case', async () => {
    const server = await serveFile({ body: 'one' });
    const access = { headers: { aCCept: 'application/vnd.github.raw' } };
    await fetch(new UrlSource({ url: server.url, timeoutMs: 60_000, http, access }));
    expect(server.headers[0]?.accept).toBe('application/vnd.github.raw');
  });

  test('fails if an unconditional request is answered with 304', async () => {
    const server = await startLocalServer((_request, response) => response.writeHead(304).end());
    await expect(fetch(source(server.url))).rejects.toMatchObject({ status: 304 });
    const known = JSON.stringify({ digest: 'a' });
    await expect(source(server.url).probe(known, sourceContext())).rejects.toMatchObject({
      code: 'source-http-status',
      status: 304,
    });
  });

  test('ignores a 304 for another entity tag', async () => {
    const server = await startLocalServer((request, response) => {
      if (request.headers['if-none-match'] === undefined) response.end('two');
      else response.writeHead(304, { etag: '"2"' }).end();
    });
    const known = JSON.stringify({ digest: 'a', etag: '"1"' });
    expect(await source(server.url).probe(known, sourceContext())).toEqual({ state: 'changed' });
    expect(server.paths).toHaveLength(2);
  });

  test.each([204, 206])('rejects a %i', async (status) => {
    const server = await startLocalServer((_request, response) =>
      response.writeHead(status).end(status === 206 ? 'half' : undefined),
    );
    await expect(fetch(source(server.url))).rejects.toMatchObject({ status });
  });

  test('ignores a revision of another kind of source', async () => {
    const server = await serveFile({ body: 'one' });
    expect(await source(server.url).probe('1-2-3:abc', sourceContext())).toEqual({
      state: 'changed',
    });
    expect(server.paths).toEqual([]);
  });

  test.each([
    ['/registry.yaml', 'yaml'],
    ['/registry.YML?version=1', 'yaml'],
    ['/registry.json', 'json'],
    ['/yaml', 'json'],
    ['/registry.json?format=.yaml', 'json'],
  ])('reads %s as %s', async (path, syntax) => {
    const server = await serveFile({ body: 'one' });
    expect((await fetch(source(server.url + path))).origins).toEqual([{ syntax }]);
  });

  test('retries a request for a healthy registry, and not for a failing one', async () => {
    const server = await startLocalServer((_request, response) =>
      response.writeHead(500, { 'retry-after': '0' }).end(),
    );
    await expect(fetch(source(server.url))).rejects.toMatchObject({ status: 500 });
    expect(server.paths).toHaveLength(3);
    const context = sourceContext({ consecutiveFailures: 1 });
    const failing = source(server.url);
    const known = JSON.stringify({ digest: 'a' });
    await expect(failing.probe(known, context)).rejects.toMatchObject({ status: 500 });
    await expect(fetch(failing, context)).rejects.toMatchObject({ status: 500 });
    expect(server.paths).toHaveLength(4);
  });
});
