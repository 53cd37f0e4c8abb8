import { once } from 'node:events';
import { createServer } from 'node:net';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { OPERATOR } from './testing/access.ts';
import { MemoryWorld, serveApi } from './testing/memory-api.ts';
import { rawRequest } from './testing/request.ts';

const CONFIG = { registries: [{ name: 'official', file: { path: '/registry.json' } }] };

let world: MemoryWorld;
let api: Awaited<ReturnType<typeof serveApi>>;
beforeEach(async () => {
  world = new MemoryWorld(CONFIG);
  api = await serveApi(world.dependencies());
});
afterEach(() => api[Symbol.asyncDispose]());

describe('the api process', () => {
  test('serves its health, version and metrics', async () => {
    const health = await fetch(`${api.url}/health`);
    expect([health.status, await health.json()]).toEqual([200, { status: 'ok' }]);
    const version = await fetch(`${api.url}/version`);
    expect(await version.json()).toEqual({ name: 'syncline', version: '1.2.3' });
    const metrics = await fetch(`${api.url}/metrics`);
    expect(metrics.headers.get('content-type')).toContain('text/plain; version=0.0.4');
    expect(await metrics.text()).toBe('up 1\n');
  });

  test('reports what is not ready', async () => {
    expect((await fetch(`${api.url}/readiness`)).status).toBe(200);
    world.readiness = { ready: false, problems: ['redis: away'] };
    const response = await fetch(`${api.url}/readiness`);
    expect(response.status).toBe(503);
    expect(await response.json()).toEqual({ ready: false, problems: ['redis: away'] });
  });
});

describe('every response', () => {
  test.each(['/health', '/v1/registries', '/registry/official/v0.1/servers', '/nowhere'])(
    'from %s has security headers, and does not name the server software',
    async (path) => {
      const { headers } = await fetch(`${api.url}${path}`);
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('content-security-policy')).toContain("frame-ancestors 'none'");
      expect(headers.has('x-powered-by')).toBe(false);
      expect(headers.get('content-type')).toBe('application/json; charset=utf-8');
    },
  );

  test('outside the registry paths has no CORS header', async () => {
    for (const path of ['/v1/registries', '/health', '/queues']) {
      expect((await fetch(`${api.url}${path}`)).headers.has('access-control-allow-origin')).toBe(
        false,
      );
    }
  });

  test('is counted under its route, not under its path', async () => {
    await fetch(`${api.url}/registry/official/v0.1/servers/a%2Fb/versions`);
    await fetch(`${api.url}/nowhere/at/all`);
    await fetch(`${api.url}/v1/sync`, { method: 'POST', headers: OPERATOR });
    await expect
      .poll(() => world.observed.map(({ method, route, status }) => [method, route, status]))
      .toEqual([
        ['GET', '/registry/{catalog}/v0.1/servers/{serverName}/versions', 503],
        ['GET', 'unmatched', 404],
        ['POST', '/v1/sync', 202],
      ]);
    expect(world.logged.every(({ level }) => level === 'debug')).toBe(true);
  });
});

describe('an invalid request is rejected', () => {
  test.each([
    ['GET', '/'],
    ['GET', '/V1/registries'],
    ['DELETE', '/v1/registries/official'],
    ['POST', '/registry/official/v0.1/publish'],
    ['GET', '/queues'],
  ])('if the route is unknown: %s %s', async (method, path) => {
    const response = await fetch(`${api.url}${path}`, { method });
    expect(response.status).toBe(404);
    expect(await response.json()).toEqual({
      error: `there is no route ${method} ${path}. GET /openapi.yaml describes all routes`,
      title: 'Not Found',
      status: 404,
      detail: `there is no route ${method} ${path}. GET /openapi.yaml describes all routes`,
      code: 'unknown-route',
    });
  });

  const JSON_TYPE = { 'content-type': 'application/json' };

  test.each<{ what: string; body: string; headers: Record<string, string>; status: number }>([
    { what: 'not JSON', body: '{"force":', headers: JSON_TYPE, status: 400 },
    { what: 'not an object', body: '"force"', headers: JSON_TYPE, status: 400 },
    {
      what: 'a form',
      body: 'force=1',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      status: 415,
    },
    { what: 'plain text', body: '{}', headers: { 'content-type': 'text/plain' }, status: 415 },
    { what: 'without a content type', body: '{}', headers: {}, status: 415 },
    {
      what: 'compressed',
      body: '{}',
      headers: { ...JSON_TYPE, 'content-encoding': 'gzip' },
      status: 415,
    },
    {
      what: 'in another character set',
      body: '{}',
      headers: { 'content-type': 'application/json; charset=latin1' },
      status: 415,
    },
    {
      what: 'too large',
      body: JSON.stringify({ note: 'x'.repeat(20_000) }),
      headers: JSON_TYPE,
      status: 413,
    },
  ])('if its body is $what', async ({ body, headers, status }) => {
    const answer = await rawRequest(api.port, {
      method: 'POST',
      path: '/v1/sync',
      body,
      headers: { ...OPERATOR, ...headers },
    });
    expect(answer.status).toBe(status);
    const codes: Record<number, string> = {
      400: 'bad-request',
      413: 'body-too-large',
      415: 'unsupported-media-type',
    };
    expect(JSON.parse(answer.text)).toMatchObject({ status, code: codes[status] });
    expect(world.state('official').control.requested).toBe(0);
  });
});

describe('an error response', () => {
  test('for an internal error hides the details, which are logged', async () => {
    world.outage = new TypeError('secret detail at /internal/path');
    const response = await fetch(`${api.url}/v1/registries`);
    expect(response.status).toBe(500);
    const text = await response.text();
    expect(JSON.parse(text)).toMatchObject({ code: 'internal', title: 'Internal Server Error' });
    expect(text).not.toMatch(/secret|internal\/path|at .*\.ts/);
    const [entry] = world.logged.filter(({ level }) => level === 'error');
    expect(entry?.fields).toMatchObject({ err: { cause: world.outage } });
  });

  test.each(['/v1/registries', '/registry/official/v0.1/servers', '/v1/runs/official:1'])(
    'from %s is 503 while Redis is unreachable',
    async (path) => {
      world.outage = await errorOfAbsentRedis();
      const response = await fetch(`${api.url}${path}`);
      expect(response.status).toBe(503);
      expect(await response.json()).toMatchObject({
        code: 'store-unavailable',
        detail: 'Redis cannot be reached',
      });
      expect((await fetch(`${api.url}/health`)).status).toBe(200);
    },
  );

  test('is 503 while Redis does not answer', async () => {
    world.outage = await errorOfSilentRedis();
    const response = await fetch(`${api.url}/v1/registries`);
    expect(response.status).toBe(503);
  });
});

/** The error of ioredis if nothing listens. */
async function errorOfAbsentRedis(): Promise<Error> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  server.close();
  await once(server, 'close');
  const redis = new Redis({ port: port ?? 1, enableOfflineQueue: false, retryStrategy: null });
  redis.on('error', () => {});
  return rejectionOf(redis.get('key'), redis);
}

/** The error of ioredis if something listens but does not answer. */
async function errorOfSilentRedis(): Promise<Error> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  const redis = new Redis({ port: port ?? 1, commandTimeout: 50, retryStrategy: null });
  redis.on('error', () => {});
  const error = await rejectionOf(redis.get('key'), redis);
  server.close();
  return error;
}

async function rejectionOf(command: Promise<unknown>, redis: Redis): Promise<Error> {
  try {
    await command;
  } catch (error) {
    if (error instanceof Error) return error;
  } finally {
    redis.disconnect();
  }
  throw new Error('expected the command to fail');
}
