import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { IncomingHttpHeaders } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Role, toSynclineError } from '@syncline/contract';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { type AccessRequest, createAccess, type Principal } from './access.ts';

const READ = 'read-token-of-this-test';
const OPERATE = 'operate-token-of-this-test';
const LOCAL = { host: '127.0.0.1:8080' };

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'syncline-access-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  await writeFile(join(directory, 'read'), READ);
  await writeFile(join(directory, 'operate'), OPERATE);
});

function createFor(host: string, roles: readonly Role[], clock?: { monotonic: () => number }) {
  const logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
  const access = createAccess({
    env: { host, hosts: undefined, adminTokenFile: undefined, trustedProxies: undefined },
    logger,
    ...(clock === undefined ? {} : { clock }),
  });
  access.tokens.follow(() =>
    roles.map((role) => ({ name: `the-${role}`, role, tokenFile: join(directory, role) })),
  );
  return access;
}

/** Returns who may do that, or the code of the refusal. */
async function ask(
  { host = '127.0.0.1', roles = ['read', 'operate'] as readonly Role[], role = 'read' as Role },
  headers: IncomingHttpHeaders,
  more: Partial<AccessRequest> = {},
): Promise<Principal | string> {
  const request = { method: 'GET', headers, client: '127.0.0.1', ...more };
  return createFor(host, roles)
    .require(role, request)
    .catch((error: unknown) => toSynclineError(error).code);
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

describe('a token', () => {
  test('opens what its role permits, from anywhere', async () => {
    const host = '0.0.0.0';
    const headers = { ...bearer(READ), host: 'api.example.com', 'x-forwarded-for': '203.0.113.9' };
    expect(await ask({ host }, headers)).toEqual({ name: 'the-read', role: 'read', via: 'token' });
    expect(await ask({ host, role: 'operate' }, headers)).toBe('forbidden');
    const operate = { name: 'the-operate', role: 'operate', via: 'token' };
    expect(await ask({ host }, bearer(OPERATE))).toEqual(operate);
    expect(await ask({ host, role: 'operate' }, bearer(OPERATE))).toEqual(operate);
  });

  test.each(['Bearer', 'Bearer ', 'Bearer x', `Bearer ${READ}x`, `bearer ${READ} ${READ}`])(
    'that is wrong is never ignored: %s',
    async (authorization) => {
      expect(await ask({}, { authorization, ...LOCAL })).toBe('unauthorized');
      expect(await ask({ role: 'operate' }, { authorization, ...LOCAL })).toBe('unauthorized');
    },
  );

  test('is slowed down only for the clients that send wrong ones', async () => {
    const access = createFor('0.0.0.0', ['read'], { monotonic: () => 0 });
    const codeFor = (token: string, client: string) =>
      access.require('read', { method: 'GET', headers: bearer(token), client }).then(
        ({ name }) => name,
        (error: unknown) => toSynclineError(error).code,
      );
    const codes = await Promise.all(
      Array.from({ length: 200 }, (_, index) => codeFor(`wrong-${index}`, '192.0.2.1')),
    );
    expect(codes.filter((code) => code === 'unauthorized')).toHaveLength(11);
    expect(codes.filter((code) => code === 'too-many-attempts')).toHaveLength(189);
    expect(await codeFor(READ, '192.0.2.1')).toBe('too-many-attempts');
    expect(await codeFor(READ, '192.0.2.2')).toBe('the-read');
  });
});

describe('without a token', () => {
  test.each<[string, IncomingHttpHeaders]>([
    ['a program', { host: 'localhost:8080' }],
    ['a Host header without a port', { host: 'LOCALHOST' }],
    ['an IPv6 Host header', { host: '[::1]:8080' }],
    ['our own page', { host: 'localhost:8080', origin: 'http://localhost:8080' }],
    ['our own page, by Sec-Fetch-Site', { ...LOCAL, 'sec-fetch-site': 'same-origin' }],
    ['a URL typed into the address bar', { ...LOCAL, 'sec-fetch-site': 'none' }],
    ['a client with another kind of credential', { ...LOCAL, authorization: 'Basic eDp5' }],
  ])('%s on this machine may read, but not control', async (_who, headers) => {
    expect(await ask({ roles: [] }, headers)).toEqual({
      name: 'local',
      role: 'read',
      via: 'local',
    });
    expect(await ask({}, headers)).toMatchObject({ via: 'local' });
    expect(await ask({ role: 'operate' }, headers)).toBe('unauthorized');
    expect(await ask({ role: 'operate', roles: ['read'] }, headers)).toBe('control-disabled');
  });

  test.each<[string, IncomingHttpHeaders]>([
    ['a page of another site', { ...LOCAL, origin: 'https://evil.example' }],
    ['a page of another port', { ...LOCAL, origin: 'http://127.0.0.1:3000' }],
    ['a page with the origin null', { ...LOCAL, origin: 'null' }],
    ['a link from another site', { ...LOCAL, 'sec-fetch-site': 'cross-site' }],
    ['a page of another port, by Sec-Fetch-Site', { ...LOCAL, 'sec-fetch-site': 'same-site' }],
  ])('%s may do nothing', async (_who, headers) => {
    for (const role of ['read', 'operate'] as const) {
      expect(await ask({ role }, headers)).toBe('cross-origin-refused');
    }
  });

  test.each<[string, IncomingHttpHeaders, Partial<AccessRequest>]>([
    ['a forwarded request', { ...LOCAL, 'x-forwarded-for': '203.0.113.9' }, {}],
    ['a forwarded request with an empty header', { ...LOCAL, 'x-forwarded-for': '' }, {}],
    ['a forwarded request, by RFC 7239', { ...LOCAL, forwarded: 'for=203.0.113.9' }, {}],
    ['a request through a proxy, by Via', { ...LOCAL, via: '1.1 proxy' }, {}],
    ['a request of a trusted proxy without a header', LOCAL, { isProxied: true }],
    ['a name that resolves to us', { host: 'evil.example:8080' }, {}],
    ['a name that looks like our address', { host: '127.999.1.1' }, {}],
    ['a request without a Host header', {}, {}],
  ])('%s may do nothing', async (_what, headers, more) => {
    expect(await ask({}, headers, more)).toBe('unauthorized');
    expect(await ask({ roles: [] }, headers, more)).toBe('read-disabled');
    expect(await ask({ roles: [], role: 'operate' }, headers, more)).toBe('control-disabled');
  });

  test.each(['0.0.0.0', '::', '192.168.1.5', 'example.com', '', '127.999.1.1'])(
    'nobody may do anything on the address %j, not even from this machine',
    async (host) => {
      expect(await ask({ host, roles: [] }, LOCAL)).toBe('read-disabled');
      expect(await ask({ host, roles: [], role: 'operate' }, LOCAL)).toBe('control-disabled');
      expect(await ask({ host }, LOCAL)).toBe('unauthorized');
    },
  );
});

test('other ways to sign in are asked before the place of the request', async () => {
  const principal = { name: 'ada', role: 'operate', via: 'session' } as const;
  const access = createFor('127.0.0.1', ['operate']);
  const request = { method: 'GET', headers: LOCAL, client: '127.0.0.1' };
  expect(await access.require('operate', request, [async () => principal])).toEqual(principal);
  expect(await access.require('read', request, [async () => undefined])).toMatchObject({
    via: 'local',
  });
});
