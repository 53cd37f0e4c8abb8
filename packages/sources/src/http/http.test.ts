import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { createAddressGuard } from '../network/address-guard.ts';
import {
  createInMemoryPlaceStore,
  createRequestBudgets,
  type RequestBudgets,
} from '../network/request-budgets.ts';
import { testHttpClient, testHttpRequest } from '../testing/http-request.ts';
import { localGuard } from '../testing/local-guard.ts';
import { type Answer, type LocalServer, startLocalServer } from '../testing/local-server.ts';
import { testMemory } from '../testing/test-memory.ts';
import { HttpClient, type HttpRequest } from './http.ts';
import { parseRetryAfter } from './http-body.ts';

let http: HttpClient;
beforeEach(() => {
  http = new HttpClient({ userAgent: () => 'acme (ops@acme.example)', guard: localGuard() });
  onTestFinished(() => http.close());
});

async function get(url: string, options: Partial<HttpRequest> = {}): Promise<Uint8Array> {
  const { bytes } = await http.get({
    url: new URL(url),
    timeoutMs: 60_000,
    maxBytes: 1_000,
    signal: new AbortController().signal,
    upstream: { requests: 0, bytes: 0 },
    memory: testMemory(),
    ...options,
  });
  return bytes;
}

async function text(url: string, options: Partial<HttpRequest> = {}): Promise<string> {
  return Buffer.from(await get(url, options)).toString();
}

/** A server that always sends the same response. */
function serve(answer: Answer): Promise<LocalServer> {
  return startLocalServer(answer);
}

describe('HttpClient', () => {
  test('returns the body, sends its user agent, and counts requests and bytes', async () => {
    const server = await serve((_request, response) => response.end('hello'));
    const upstream = { requests: 0, bytes: 0 };
    expect(await text(`${server.url}/a?b=c%2Fd`, { upstream })).toBe('hello');
    expect(server.paths).toEqual(['/a?b=c%2Fd']);
    expect(server.headers[0]).toMatchObject({
      'user-agent': 'acme (ops@acme.example)',
      accept: 'application/json',
    });
    expect(upstream).toEqual({ requests: 1, bytes: 5 });
  });

  test('has a default user agent', async () => {
    const server = await serve((_request, response) => response.end());
    http = new HttpClient({ userAgent: () => undefined, guard: localGuard() });
    onTestFinished(() => http.close());
    await get(server.url);
    expect(server.headers[0]?.['user-agent']).toMatch(/^syncline /);
  });

  test('reads gzip', async () => {
    const server = await serve((request, response) => {
      expect(request.headers['accept-encoding']).toContain('gzip');
      response.setHeader('content-encoding', 'gzip').end(gzipSync('hello'));
    });
    expect(await text(server.url)).toBe('hello');
  });

  test('follows redirects, but not endlessly', async () => {
    const server = await serve((request, response) => {
      if (request.url === '/end') response.end('hello');
      else if (request.url === '/loop') response.writeHead(302, { location: '/loop' }).end();
      else response.writeHead(301, { location: '/end' }).end();
    });
    expect(await text(`${server.url}/start`)).toBe('hello');
    await expect(get(`${server.url}/loop`)).rejects.toMatchObject({ name: 'SynclineError' });
    expect(server.paths.length).toBeLessThan(10);
  });

  test.each([500, 404, 401, 204, 304])('reports a status of %i', async (status) => {
    const server = await serve((_request, response) => response.writeHead(status).end());
    await expect(get(`${server.url}/path?token=secret`)).rejects.toMatchObject({
      code: 'source-http-status',
      status,
      message: `${server.url}/path answered with status ${status}`,
    });
  });

  test.each([
    ['seconds', () => '7', 7_000, 7_000],
    ['a date', () => new Date(Date.now() + 60_000).toUTCString(), 30_000, 60_000],
  ])('reads when to retry after a 429, from %s', async (_form, header, leastMs, mostMs) => {
    const server = await serve((_request, response) =>
      response.writeHead(429, { 'retry-after': header() }).end('slow down'),
    );
    const error = await get(server.url).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'source-rate-limited', status: 429 });
    const { retryAfterMs } = error as { retryAfterMs: number };
    expect(retryAfterMs).toBeGreaterThanOrEqual(leastMs);
    expect(retryAfterMs).toBeLessThanOrEqual(mostMs);
  });

  test('reads when to retry after a 503 too, and accepts a 429 without it', async () => {
    const server = await serve((request, response) =>
      request.url === '/503'
        ? response.writeHead(503, { 'retry-after': '3' }).end()
        : response.writeHead(429).end(),
    );
    await expect(get(`${server.url}/503`)).rejects.toMatchObject({ retryAfterMs: 3_000 });
    await expect(get(server.url)).rejects.toMatchObject({ retryAfterMs: undefined });
  });

  test('times out if no response comes', async () => {
    const server = await serve(() => {});
    await expect(get(server.url, { timeoutMs: 50 })).rejects.toMatchObject({
      code: 'source-timeout',
      message: expect.stringContaining('within 50 ms'),
    });
  });

  test('applies the timeout to the whole response, to its last byte', async () => {
    const server = await serve((_request, response) => {
      const timer = setInterval(() => response.write('.'), 10);
      response.on('close', () => clearInterval(timer));
    });
    await expect(get(server.url, { timeoutMs: 100 })).rejects.toMatchObject({
      code: 'source-timeout',
    });
  });

  test('cuts off an endless body', async () => {
    const closed = Promise.withResolvers<void>();
    const server = await serve((_request, response) => {
      response.on('close', () => closed.resolve());
      const pour = () => {
        while (!response.destroyed && response.write('x'.repeat(10_000)));
      };
      response.on('drain', pour);
      pour();
    });
    const upstream = { requests: 0, bytes: 0 };
    await expect(get(server.url, { maxBytes: 100_000, upstream })).rejects.toMatchObject({
      code: 'source-too-large',
    });
    await closed.promise;
    expect(upstream.bytes).toBeLessThan(1_000_000);
  });

  test('cuts off a small body that expands to a large one', async () => {
    const bomb = gzipSync(Buffer.alloc(50_000_000));
    const server = await serve((_request, response) =>
      response.setHeader('content-encoding', 'gzip').end(bomb),
    );
    await expect(get(server.url)).rejects.toMatchObject({ code: 'source-too-large' });
  });

  test('accepts a body of exactly the maximum size', async () => {
    const server = await serve((_request, response) => response.end('x'.repeat(1_000)));
    expect(await get(server.url)).toHaveLength(1_000);
  });

  test('reports a connection that is refused or breaks, without credentials', async () => {
    const gone = await serve(() => {});
    await gone.close();
    const withPassword = gone.url.replace('//', '//user:secret@');
    const error = await get(`${withPassword}/path?token=secret`).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: 'source-unreachable',
      message: expect.stringContaining(`${gone.url}/path`),
    });
    expect(String(error)).not.toContain('secret');

    const breaking = await serve((_request, response) => {
      response.writeHead(200, { 'content-length': '1000' });
      response.write('half');
      response.destroy();
    });
    await expect(get(breaking.url)).rejects.toMatchObject({ code: 'source-unreachable' });
  });

  test('rejects a broken gzip body', async () => {
    const server = await serve((_request, response) =>
      response.setHeader('content-encoding', 'gzip').end(gzipSync('hello').subarray(0, 15)),
    );
    await expect(get(server.url)).rejects.toMatchObject({ name: 'SynclineError' });
  });

  test.each(['before', 'while it waits', 'in the middle of the body'])(
    'ends a request that is aborted %s with the reason of the abort',
    async (when) => {
      const abort = new AbortController();
      const reason = new Error('the time is up');
      if (when === 'before') abort.abort(reason);
      const server = await serve((_request, response) => {
        if (when === 'in the middle of the body') response.write('half');
        setImmediate(() => abort.abort(reason));
      });
      await expect(get(server.url, { signal: abort.signal })).rejects.toBe(reason);
    },
  );
});

describe('a request budget', () => {
  const LIMITED = [{ host: '127.0.0.1', concurrency: 1 }];

  test('limits requests, also those that follow a redirect', async () => {
    const arrived: string[] = [];
    const held = Promise.withResolvers<ServerResponse>();
    const server = await serve((request, response) => {
      arrived.push(request.url ?? '');
      if (request.url === '/held') held.resolve(response);
      else if (request.url === '/moved') response.writeHead(302, { location: '/end' }).end();
      else response.end('hello');
    });
    const budgets = createRequestBudgets({
      store: createInMemoryPlaceStore(),
      budgets: () => LIMITED,
    });
    const limited = testHttpClient({ budgets });
    const first = limited.get(testHttpRequest(`${server.url}/held`));
    const response = await held.promise;
    const others = [1, 2].map(() => limited.get(testHttpRequest(`${server.url}/moved`)));
    // Without the budget, the two waiting requests would arrive before this request.
    await http.get(testHttpRequest(`${server.url}/unlimited`));
    expect(arrived).toEqual(['/held', '/unlimited']);
    response.end();
    await Promise.all([first, ...others]);
    expect(arrived).toHaveLength(6);
  });

  test('can be waited for longer than the request timeout', async () => {
    const timeoutMs = 3_000;
    const budgets: RequestBudgets = {
      take: async () => {
        await once(AbortSignal.timeout(timeoutMs + 100), 'abort');
        return { [Symbol.dispose]: () => {} };
      },
    };
    const server = await serve((_request, response) => response.end('hello'));
    const { bytes } = await testHttpClient({ budgets }).get(
      testHttpRequest(server.url, { timeoutMs }),
    );
    expect(bytes).toHaveLength(5);
  });

  test('gets its place back however a request ends', async () => {
    const taken = new Map<string, boolean>();
    const budgets: RequestBudgets = {
      take: async () => {
        const id = String(taken.size);
        taken.set(id, true);
        return { [Symbol.dispose]: () => void taken.set(id, false) };
      },
    };
    const limited = testHttpClient({ budgets, guard: createAddressGuard({ allow: () => [] }) });
    await expect(limited.get(testHttpRequest('http://127.0.0.1:1'))).rejects.toThrow();
    const loop = await serve((_request, response) =>
      response.writeHead(302, { location: '/' }).end(),
    );
    await expect(testHttpClient({ budgets }).get(testHttpRequest(loop.url))).rejects.toThrow();
    expect([...taken.values()]).toEqual([false, false]);
  });
});

describe('parseRetryAfter', () => {
  const NOW_MS = Date.parse('2026-02-01T12:00:00Z');

  test.each<[header: string | string[] | undefined, waitMs: number | undefined]>([
    [undefined, undefined],
    ['0', 0],
    ['120', 120_000],
    [['5', '9'], 5_000],
    ['Sun, 01 Feb 2026 12:01:00 GMT', 60_000],
    ['Sun, 01 Feb 2026 11:00:00 GMT', 0],
    ['99999999999', 24 * 3_600_000],
    ['soon', undefined],
    ['', undefined],
  ])('reads %j', (header, waitMs) => {
    expect(parseRetryAfter(header, NOW_MS)).toBe(waitMs);
  });
});
