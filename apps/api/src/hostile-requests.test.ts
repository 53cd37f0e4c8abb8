/** Hostile requests: each gets an answer of the usual shape that reveals no internals. */
import { SECURITY_HEADERS } from '@syncline/runtime';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { OPERATE_TOKEN, OPERATOR, testAccess } from './testing/access.ts';
import { MemoryWorld, serveApi } from './testing/memory-api.ts';
import { type RawAnswer, rawRequest } from './testing/request.ts';

const JSON_TYPE = { 'content-type': 'application/json' };
const SERVERS = '/registry/official/v0.1/servers';

let world: MemoryWorld;
let api: Awaited<ReturnType<typeof serveApi>>;
beforeEach(async () => {
  world = new MemoryWorld({ registries: [{ name: 'official', file: { path: '/registry.json' } }] });
  world.state('official').rows = [];
  api = await serveApi(world.dependencies({ access: testAccess({ host: '0.0.0.0' }) }));
});
afterEach(() => api[Symbol.asyncDispose]());

function expectError({ status, headers, text }: RawAnswer, expected: [number, string]): void {
  expect(JSON.parse(text)).toEqual({
    error: expect.any(String),
    title: expect.any(String),
    status,
    detail: expect.any(String),
    code: expected[1],
  });
  expect(status).toBe(expected[0]);
  expect(headers).toMatchObject(SECURITY_HEADERS);
  expect(text).not.toMatch(/node_modules|\.[jt]s:\d|\bat .*:\d/);
}

describe.each([undefined, 'development', 'production'])(
  'a hostile request gets an error without details, with NODE_ENV %s',
  (environment) => {
    beforeEach(() => {
      vi.stubEnv('NODE_ENV', environment);
      onTestFinished(() => void vi.unstubAllEnvs());
    });

    test.each([
      ['/v1/registries/nobody', 404, 'unknown-registry'],
      ['/v1/registries/__proto__', 404, 'unknown-registry'],
      ['/v1/registries/constructor/runs', 404, 'unknown-registry'],
      ['/v1/registries/official%2F..%2Fother', 404, 'unknown-registry'],
      ['/v1/registries/official%252Fother', 404, 'unknown-registry'],
      ['/v1/registries/a%2500', 404, 'unknown-registry'],
      ['/v1/registries/a%00', 400, 'bad-request'],
      ['/v1/registries/%ff', 400, 'bad-request'],
      ['/v1/registries/%2e%2e/official', 404, 'unknown-route'],
      ['/v1/registries/../../etc/passwd', 404, 'unknown-route'],
      ['//v1/registries', 404, 'unknown-route'],
      ['http://localhost/v1/nothing', 404, 'unknown-route'],
      ['http://%@x/', 404, 'unknown-route'],
      ['http://[/', 400, 'bad-request'],
      ['http://x:99999/sign-in', 400, 'bad-request'],
      ['nothing', 400, 'bad-request'],
      ['*', 404, 'unknown-route'],
      [`/${'a'.repeat(10_000)}`, 404, 'unknown-route'],
      ['/v1/catalogs/__proto__', 404, 'unknown-catalog'],
      ['/registry/toString/v0.1/servers', 404, 'unknown-catalog'],
      ['/registry/off%2Ficial/v0.1/servers', 404, 'unknown-catalog'],
      ['/registry/official%2fv0.1%2fservers', 404, 'unknown-route'],
      [`${SERVERS}/..%2F..%2Fetc%2Fpasswd/versions`, 404, 'server-not-found'],
      [`${SERVERS}/a%252Fb/versions/latest`, 404, 'server-not-found'],
      ...['0', '-1', '101', '1e9', '1000000000', 'abc', '1.5', '%20', '0x10'].flatMap(
        (limit): [string, number, string][] => [
          [`${SERVERS}?limit=${limit}`, 400, 'bad-request'],
          [`/v1/registries/official/runs?limit=${limit}`, 400, 'bad-request'],
          [`/v1/catalogs/official/conflicts?limit=${limit}`, 400, 'bad-request'],
        ],
      ),
      ...['x', '..', '%7B%7D', 'a'.repeat(9_000), 'W10', 'bnVsbA'].flatMap(
        (cursor): [string, number, string][] => [
          [`${SERVERS}?cursor=${cursor}`, 400, 'bad-request'],
          [`/v1/registries/official/runs?cursor=${cursor}`, 400, 'bad-request'],
          [`/v1/catalogs/official/conflicts?cursor=${cursor}`, 400, 'bad-request'],
        ],
      ),
      [`${SERVERS}?search=${'a'.repeat(9_000)}`, 400, 'bad-request'],
      ['/v1/runs/official:1', 404, 'unknown-run'],
      ['/v1/runs/__proto__:1', 404, 'unknown-run'],
      ['/v1/runs/%3A', 404, 'unknown-run'],
      ['/v1/registries/official/requests/1e3', 404, 'unknown-request'],
    ])('GET %s', async (path, status, code) => {
      expectError(await rawRequest(api.port, { path, headers: OPERATOR }), [status, code]);
    });

    test.each([
      ['not JSON', '{', 400],
      ['a list', '[]', 400],
      ['null', 'null', 400],
      ['a number', '1', 400],
      ['nested deeply', `{"x":${'['.repeat(4_000)}${']'.repeat(4_000)}}`, 400],
      ['nested deeply and truncated', `{"x":${'['.repeat(8_000)}`, 400],
      ['an object with a JavaScript property name', '{"__proto__":{"force":true}}', 400],
      ['an object with unknown keys', '{"x":1}', 400],
      ['an object with a wrong type', '{"force":"yes"}', 400],
      ['too large', `{"x":"${'x'.repeat(20_000)}"}`, 413],
    ])('POST with a body that is %s', async (_what, body, status) => {
      const headers = { ...OPERATOR, ...JSON_TYPE };
      const answer = await rawRequest(api.port, {
        method: 'POST',
        path: '/v1/sync',
        headers,
        body,
      });
      expectError(answer, [status, status === 413 ? 'body-too-large' : 'bad-request']);
      expect(world.state('official').control.requested).toBe(0);
    });
  },
);

test.each(['HEAD', 'OPTIONS', 'PUT', 'DELETE', 'PATCH', 'TRACE', 'PROPFIND'])(
  '%s changes nothing, and gets a response',
  async (method) => {
    for (const path of ['/v1/registries', '/v1/sync', '/v1/registries/official/suspend', SERVERS]) {
      const { status, headers } = await rawRequest(api.port, { method, path, headers: OPERATOR });
      const isRead = method === 'HEAD' && (path === '/v1/registries' || path === SERVERS);
      const isPreflight = method === 'OPTIONS' && path === SERVERS;
      expect(status).toBe(isRead ? 200 : isPreflight ? 204 : 404);
      expect(headers).toMatchObject(SECURITY_HEADERS);
    }
    expect(world.state('official').control).toMatchObject({ requested: 0, suspended: false });
  },
);

test.each([
  [undefined, 401],
  ['', 401],
  ['Bearer', 401],
  [`Bearer ${OPERATE_TOKEN.slice(0, -1)}`, 401],
  [`Bearer ${OPERATE_TOKEN}s`, 401],
  [`Bearer ${OPERATE_TOKEN.toUpperCase()}`, 401],
  [`Bearer ${OPERATE_TOKEN.replace('-', ' ')}`, 401],
  [`Bearer ${OPERATE_TOKEN}, Bearer other`, 401],
  [`Basic ${OPERATE_TOKEN}`, 401],
  [`Bearer   ${OPERATE_TOKEN}  `, 202],
])('the Authorization header %j gets status %i', async (authorization, status) => {
  const headers = authorization === undefined ? {} : { authorization };
  const path = `/v1/sync?access_token=${OPERATE_TOKEN}&token=${OPERATE_TOKEN}`;
  const answer = await rawRequest(api.port, { method: 'POST', path, headers });
  expect(answer.status).toBe(status);
  if (status === 401) expectError(answer, [401, 'unauthorized']);
});

test('a body with a declared length over the limit is rejected at once', async () => {
  const headers = { ...OPERATOR, ...JSON_TYPE, 'content-length': '99999999999' };
  const answer = await rawRequest(api.port, {
    method: 'POST',
    path: '/v1/sync',
    headers,
    body: '{}',
    isUnfinished: true,
  });
  expectError(answer, [413, 'body-too-large']);
});

test('the target of a request in absolute form replaces its Host header', async () => {
  await api[Symbol.asyncDispose]();
  api = await serveApi(world.dependencies({ access: testAccess() }));
  const ask = (host: string, path: string) =>
    rawRequest(api.port, { method: 'GET', path, headers: { host } });
  expect((await ask('evil.example', 'http://localhost/version')).status).toBe(200);
  expectError(await ask('localhost', 'http://evil.example/version'), [403, 'host-refused']);
});

test('a flood of failures is logged once a minute, and a form with many fields is no failure', async () => {
  world.config = undefined;
  for (let count = 0; count < 5; count += 1) {
    const { status } = await rawRequest(api.port, { method: 'GET', path: SERVERS, headers: {} });
    expect(status).toBe(503);
  }
  expect(world.logged.filter(({ level }) => level === 'error')).toHaveLength(1);
  const form = await rawRequest(api.port, {
    method: 'POST',
    path: '/sign-in',
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      'sec-fetch-site': 'same-origin',
    },
    body: '&a='.repeat(20),
  });
  expectError(form, [400, 'bad-request']);
});

test('a client whose requests are refused again and again waits for each further answer', async () => {
  const ask = (path: string) =>
    rawRequest(api.port, { method: 'GET', path, headers: { host: 'localhost' } });
  for (let count = 0; count < 20; count += 1) await ask('/v1/registries?limit=x');
  const order: string[] = [];
  const refused = ask('/v1/registries?limit=x').then(() => order.push('refused'));
  const found = ask('/version').then(() => order.push('found'));
  await Promise.all([refused, found]);
  expect(order).toEqual(['found', 'refused']);
});
