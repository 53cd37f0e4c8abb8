import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createAddressGuard } from '../network/address-guard.ts';
import { testHttpClient, testHttpRequest } from '../testing/http-request.ts';
import { startLocalServer } from '../testing/local-server.ts';
import { followRedirect, redirectTarget } from './http.ts';

const SECRET = 'planted-secret-8d21';

/** A server that redirects each path in the table, and responds to all other paths. */
async function serveRedirects(table: Record<string, string>, status = 302) {
  return startLocalServer((request, response) => {
    const location = table[request.url ?? ''];
    if (location === undefined) response.end('hello');
    else response.writeHead(status, { location }).end('moved');
  });
}

async function ask(url: string, options: Parameters<typeof testHttpRequest>[1] = {}) {
  const { bytes } = await testHttpClient().get(testHttpRequest(url, options));
  return Buffer.from(bytes).toString();
}

async function tokenFile(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'syncline-token-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  await writeFile(join(directory, 'token'), SECRET);
  return join(directory, 'token');
}

describe('an HTTP redirect', () => {
  test.each([301, 302, 303, 307, 308])('with status %i is followed', async (status) => {
    const server = await serveRedirects({ '/a': '/b?c=d' }, status);
    const upstream = { requests: 0, bytes: 0 };
    expect(await ask(`${server.url}/a`, { upstream })).toBe('hello');
    expect(server.paths).toEqual(['/a', '/b?c=d']);
    expect(upstream).toEqual({ requests: 2, bytes: 5 });
  });

  test('is followed five times at most', async () => {
    const server = await serveRedirects({
      '/0': '/1',
      '/1': '/2',
      '/2': '/3',
      '/3': '/4',
      '/4': '/5',
      '/5': '/6',
    });
    expect(await ask(`${server.url}/1`)).toBe('hello');
    await expect(ask(`${server.url}/0`)).rejects.toMatchObject({
      code: 'source-redirect-refused',
    });
    expect(server.paths.filter((path) => path === '/6')).toHaveLength(1);
  });

  test.each([
    ['to itself', { '/a': '/a#again' }],
    ['in a cycle', { '/a': '/b', '/b': '/c', '/c': '/a' }],
  ])('%s is rejected at once', async (_where, table) => {
    const server = await serveRedirects(table);
    await expect(ask(`${server.url}/a`)).rejects.toMatchObject({
      code: 'source-redirect-refused',
      message: expect.stringContaining(`back to ${server.url}/a`),
    });
    expect(server.paths).toHaveLength(Object.keys(table).length);
  });

  test.each(['ftp://a.example/', 'file:///etc/passwd', 'javascript:1', 'http://', 'data:,x'])(
    'to %s is rejected',
    async (location) => {
      const server = await serveRedirects({ '/a': location });
      await expect(ask(`${server.url}/a`)).rejects.toMatchObject({
        code: 'source-redirect-refused',
      });
    },
  );

  test.each([
    'http://127.0.0.2:1/',
    'http://10.0.0.1/',
    'http://169.254.169.254/latest/meta-data/',
    'http://[fd00:ec2::254]/',
    'http://[::ffff:10.0.0.1]/',
    'http://167772161/',
    '//0xa.0.0.1/',
  ])('to %s is blocked like a direct request', async (location) => {
    const server = await serveRedirects({ '/a': location });
    const http = testHttpClient({
      guard: createAddressGuard({
        allow: () => ['127.0.0.1'],
      }),
    });
    await expect(http.get(testHttpRequest(`${server.url}/a`))).rejects.toMatchObject({
      code: 'source-address-refused',
    });
  });

  test('from https to http is rejected, and from http to https is followed', () => {
    const hop = (url: string) => ({ url: new URL(url), accessHeaders: {}, before: [] });
    expect(() => followRedirect(hop('https://a.example/b'), 'http://a.example/b?c=d')).toThrow(
      'https://a.example/b redirects from https to http://a.example/b, which is not encrypted',
    );
    const { url } = followRedirect(hop('http://a.example/b'), 'https://a.example/b');
    expect(url.href).toBe('https://a.example/b');
  });

  test('without a target is an unexpected status', async () => {
    const server = await startLocalServer((_request, response) => response.writeHead(302).end());
    await expect(ask(server.url)).rejects.toMatchObject({
      code: 'source-http-status',
      status: 302,
    });
    expect(redirectTarget({ statusCode: 300, headers: { location: '/a' } })).toBeUndefined();
  });

  test('sends credentials to the configured origin only, and not after a redirect back to it', async () => {
    const other = await startLocalServer((_request, response) =>
      response.writeHead(302, { location: `${home.url}/end` }).end(),
    );
    const home = await serveRedirects({ '/a': '/b', '/b': `${other.url}/x` });
    const file = await tokenFile();
    const access = {
      auth: { tokenFile: file },
      headers: { 'X-Key': { file }, 'X-Tenant': 'acme' },
    };
    expect(await ask(`${home.url}/a`, { access })).toBe('hello');
    expect(home.paths).toEqual(['/a', '/b', '/end']);
    const sent = { authorization: `Bearer ${SECRET}`, 'x-key': SECRET, 'x-tenant': 'acme' };
    expect(home.headers[0]).toMatchObject(sent);
    expect(home.headers[1]).toMatchObject(sent);
    for (const headers of [other.headers[0], home.headers[2]]) {
      for (const name of Object.keys(sent)) expect(headers).not.toHaveProperty(name);
      expect(JSON.stringify(headers)).not.toContain(SECRET);
    }
  });

  test('to another port is to another origin', () => {
    const accessHeaders = { authorization: 'x' };
    const hop = { url: new URL('http://a.example/'), accessHeaders, before: [] };
    expect(followRedirect(hop, 'http://a.example:80/b').accessHeaders).toEqual(accessHeaders);
    for (const to of ['http://a.example:8080/', 'https://a.example/', 'http://b.a.example/']) {
      expect(followRedirect(hop, to).accessHeaders, to).toEqual({});
    }
  });

  test('is followed without reading an endless body first', async () => {
    const server = await startLocalServer((request, response) => {
      if (request.url === '/end') response.end('hello');
      else {
        response.writeHead(302, { location: '/end' });
        const pour = () => {
          while (!response.destroyed && response.write('x'.repeat(10_000)));
        };
        response.on('drain', pour);
        pour();
      }
    });
    expect(await ask(`${server.url}/a`)).toBe('hello');
  });
});
