import { get as httpGet } from 'node:http';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createAccess } from '../access/access.ts';
import { type Readiness, readinessOf } from '../lifecycle/service.ts';
import { createMetrics } from '../metrics/metrics.ts';
import { type HttpServer, SECURITY_HEADERS } from './listen.ts';
import { startOpsServer } from './ops-server.ts';

const SILENT = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const accessOn = (host: string, trustedProxies?: string[]) =>
  createAccess({
    env: { host, hosts: undefined, adminTokenFile: undefined, trustedProxies },
    logger: SILENT,
  });

let ops: HttpServer;
let readiness: () => Promise<Readiness>;
let liveness: string[];
let metrics: ReturnType<typeof createMetrics>['expose'];
let errors: unknown[];
beforeEach(async () => {
  readiness = async () => readinessOf([]);
  liveness = [];
  metrics = createMetrics().expose;
  errors = [];
  ops = await startOpsServer({
    host: '127.0.0.1',
    port: 0,
    access: accessOn('127.0.0.1'),
    metrics: { expose: () => metrics() },
    readiness: () => readiness(),
    liveness: () => liveness,
    onError: (error) => errors.push(error),
  });
});
afterEach(() => ops.close({ graceMs: 0 }));

const get = (path: string, init?: RequestInit) =>
  fetch(`http://127.0.0.1:${ops.port}${path}`, init);

test('/health is ok while the process responds', async () => {
  readiness = async () => readinessOf(['Redis is away']);
  const response = await get('/health');
  expect(response.status).toBe(200);
  expect(await response.json()).toEqual({ status: 'ok' });
});

test('/health reports problems that only a restart fixes', async () => {
  liveness = ['worker: takes no jobs'];
  const response = await get('/health');
  expect(response.status).toBe(503);
  expect(await response.json()).toEqual({ status: 'wedged', problems: liveness });
});

test('/readiness says what is not ready', async () => {
  expect((await get('/readiness')).status).toBe(200);
  readiness = async () => readinessOf(['Redis is away']);
  const response = await get('/readiness');
  expect(response.status).toBe(503);
  expect(await response.json()).toEqual({ ready: false, problems: ['Redis is away'] });
});

test('/readiness is not ready if the check fails', async () => {
  readiness = () => Promise.reject(new Error('no answer'));
  const response = await get('/readiness');
  expect(response.status).toBe(503);
  expect(await response.json()).toEqual({ ready: false, problems: ['no answer'] });
});

test('/readiness answers even if the check never ends', async () => {
  readiness = () => new Promise(() => {});
  const response = await get('/readiness');
  expect(response.status).toBe(503);
  expect(await response.json()).toEqual({ ready: false, problems: ['no answer in 2000 ms'] });
});

test('/metrics returns the metrics', async () => {
  const response = await get('/metrics?name=x');
  expect(response.headers.get('content-type')).toMatch(/^text\/plain/);
  expect(await response.text()).toContain('syncline_build_info');
});

test('HEAD returns no body', async () => {
  const response = await get('/health', { method: 'HEAD' });
  expect(response.status).toBe(200);
  expect(await response.text()).toBe('');
});

test.each(['/health', '/readiness', '/metrics', '/nothing'])(
  '%s has security headers for browsers',
  async (path) => {
    expect(Object.fromEntries((await get(path)).headers)).toMatchObject(SECURITY_HEADERS);
  },
);

test('an internal error is logged, but not shown to the client', async () => {
  const error = new Error('secret detail');
  metrics = () => Promise.reject(error);
  const response = await get('/metrics');
  expect(response.status).toBe(500);
  const text = await response.text();
  expect(JSON.parse(text)).toMatchObject({ code: 'internal' });
  expect(text).not.toContain('secret');
  expect(errors).toEqual([error]);
});

test.each([
  ['GET', '/nothing'],
  ['POST', '/health'],
])('%s %s is an unknown route', async (method, path) => {
  const response = await get(path, { method });
  expect(response.status).toBe(404);
  expect(await response.json()).toMatchObject({ status: 404, code: 'unknown-route' });
});

test('a request for another host is rejected, except a probe by address', async () => {
  const ask = (path: string, host: string) =>
    new Promise<number | undefined>((resolve, reject) => {
      const options = { port: ops.port, host: '127.0.0.1', path, headers: { host } };
      httpGet(options, (response) => resolve(response.resume().statusCode)).on('error', reject);
    });
  for (const path of ['/health', '/readiness', '/metrics']) {
    expect(await ask(path, 'evil.example'), path).toBe(403);
  }
  expect(await ask('/health', '10.1.2.3:9090')).toBe(200);
  expect(await ask('/readiness', '10.1.2.3:9090')).toBe(200);
  expect(await ask('/metrics', '10.1.2.3:9090')).toBe(403);
});

test('on an address that other machines can reach, only metrics need a token', async () => {
  await using open = await serveOps('0.0.0.0');
  expect((await fetch(`${open.url}/health`)).status).toBe(200);
  expect((await fetch(`${open.url}/readiness`)).status).toBe(200);
  const refused = await fetch(`${open.url}/metrics`);
  expect(refused.status).toBe(403);
  expect(await refused.json()).toMatchObject({ code: 'read-disabled' });
});

test('a request through a trusted proxy is not local', async () => {
  await using open = await serveOps('127.0.0.1', ['127.0.0.1']);
  expect((await fetch(`${open.url}/health`)).status).toBe(200);
  expect((await fetch(`${open.url}/metrics`)).status).toBe(403);
});

async function serveOps(host: string, trustedProxies?: string[]) {
  const server = await startOpsServer({
    host: '127.0.0.1',
    port: 0,
    access: accessOn(host, trustedProxies),
    metrics: createMetrics(),
    readiness,
    liveness: () => [],
    onError: () => {},
  });
  return {
    url: `http://127.0.0.1:${server.port}`,
    [Symbol.asyncDispose]: () => server.close({ graceMs: 0 }),
  };
}

test('a port in use is an error', async () => {
  const second = startOpsServer({
    host: '127.0.0.1',
    port: ops.port,
    access: accessOn('127.0.0.1'),
    metrics: createMetrics(),
    readiness,
    liveness: () => [],
    onError: () => {},
  });
  await expect(second).rejects.toMatchObject({ code: 'EADDRINUSE' });
});

test('the server closes even if a client keeps its connection', async () => {
  await get('/health');
  await ops.close({ graceMs: 0 });
  await expect(get('/health')).rejects.toThrow();
});
