import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { promisify } from 'node:util';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createCertificate, type TestCertificate } from '../testing/certificate.ts';
import { testHttpClient, testHttpRequest } from '../testing/http-request.ts';
import { startLocalProxy } from '../testing/local-proxy.ts';
import { startLocalServer } from '../testing/local-server.ts';
import { createAddressGuard, type ResolvedAddress } from './address-guard.ts';

const REFUSED = { code: 'source-address-refused' };
const LOOPBACK: ResolvedAddress = { address: '127.0.0.1', family: 4 };

const portOf = (url: string) => new URL(url).port;

function serveHello() {
  return startLocalServer((_request, response) => response.end('hello'));
}

async function serveTls({ key, cert }: TestCertificate): Promise<string> {
  const server = createServer({ key, cert }, (_request, response) => response.end('hello'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('expected a TCP address');
  return `https://127.0.0.1:${address.port}`;
}

describe('a direct request', () => {
  test.each([
    '127.0.0.1',
    'localhost',
    'LOCALHOST.',
    '2130706433',
    '0x7f.1',
    '127.1',
    '[::1]',
    '[::]',
    '0.0.0.0',
    '[::ffff:127.0.0.1]',
  ])('to %s is blocked without a connection', async (host) => {
    const server = await serveHello();
    const http = testHttpClient({ guard: createAddressGuard({ allow: () => [] }) });
    const request = testHttpRequest(`http://${host}:${portOf(server.url)}/`);
    await expect(http.get(request)).rejects.toMatchObject(REFUSED);
    expect(server.paths).toEqual([]);
  });

  test('connects to the address that was checked, even if the name resolves to another one later', async () => {
    const server = await serveHello();
    let lookups = 0;
    const guard = createAddressGuard({
      allow: () => ['127.0.0.1'],
      lookup: async () => {
        lookups += 1;
        return [lookups === 1 ? LOOPBACK : { address: '127.0.0.2', family: 4 }];
      },
    });
    const http = testHttpClient({ guard });
    const request = testHttpRequest(`http://rebinding.example:${portOf(server.url)}/`);
    expect(Buffer.from((await http.get(request)).bytes).toString()).toBe('hello');
    expect(lookups).toBe(1);
    expect(server.headers[0]?.host).toBe(`rebinding.example:${portOf(server.url)}`);
  });

  test('to a name that now resolves to a blocked address is blocked at the next connection', async () => {
    let lookups = 0;
    const guard = createAddressGuard({
      allow: () => ['127.0.0.1'],
      lookup: async () => {
        lookups += 1;
        return [lookups === 1 ? LOOPBACK : { address: '127.0.0.2', family: 4 }];
      },
    });
    const server = await startLocalServer((_request, response) =>
      response.setHeader('connection', 'close').end('hello'),
    );
    const http = testHttpClient({ guard });
    const request = testHttpRequest(`http://rebinding.example:${portOf(server.url)}/`);
    await http.get(request);
    await expect(http.get(request)).rejects.toMatchObject(REFUSED);
  });

  test('reuses a connection until the config no longer allows its address', async () => {
    const ports = new Set<unknown>();
    const server = await startLocalServer((request, response) => {
      ports.add(request.socket.remotePort);
      response.end('hello');
    });
    let allow = ['127.0.0.1'];
    const guard = createAddressGuard({ allow: () => allow, lookup: async () => [LOOPBACK] });
    const http = testHttpClient({ guard });
    for (const host of ['127.0.0.1', 'kept.example']) {
      const request = testHttpRequest(`http://${host}:${portOf(server.url)}/`);
      const get = async () => {
        await http.get(request);
        // A connection can be reused a moment after its response has been read.
        await setImmediate();
      };
      ports.clear();
      await get();
      await get();
      expect(ports.size).toBe(1);
      allow = [];
      await expect(http.get(request)).rejects.toMatchObject(REFUSED);
      allow = ['127.0.0.1'];
      await get();
      expect(ports.size).toBe(2);
    }
  });

  test('times out if the resolver does not answer', async () => {
    const guard = createAddressGuard({
      allow: () => [],
      lookup: () => new Promise(() => {}),
    });
    const request = testHttpRequest('http://a.example/', { timeoutMs: 100 });
    await expect(testHttpClient({ guard }).get(request)).rejects.toMatchObject({
      code: 'source-timeout',
    });
  });

  test('tries each address of a name', async () => {
    const server = await serveHello();
    const guard = createAddressGuard({
      allow: () => ['127.0.0.0/8'],
      lookup: async () => [{ address: '127.0.0.9', family: 4 }, LOOPBACK],
    });
    const request = testHttpRequest(`http://several.example:${portOf(server.url)}/`);
    expect((await testHttpClient({ guard }).get(request)).bytes).toHaveLength(5);
  });
});

describe('an HTTP proxy', () => {
  const guard = createAddressGuard({
    allow: () => [],
    lookup: async (host) => {
      if (host === 'inside.example') return [{ address: '10.0.0.1', family: 4 }];
      throw new Error(`getaddrinfo ENOTFOUND ${host}`);
    },
  });

  test('gets http requests with its password, and its own address is not checked', async () => {
    const [server, proxy] = await Promise.all([serveHello(), startLocalProxy()]);
    const http = testHttpClient({
      guard,
      proxies: { http: `http://user:hunter2@127.0.0.1:${proxy.port}` },
    });
    const url = `http://a.example:${portOf(server.url)}/b?c=d`;
    expect((await http.get(testHttpRequest(url))).bytes).toHaveLength(5);
    expect(proxy.asked).toEqual([url]);
    const basic = `Basic ${Buffer.from('user:hunter2').toString('base64')}`;
    expect(proxy.authorizations).toEqual([basic]);
    expect(server.headers[0]).not.toHaveProperty('proxy-authorization');
  });

  test('opens a tunnel for https', async () => {
    const url = new URL(await serveTls(createCertificate('a.example')));
    const proxy = await startLocalProxy();
    const http = testHttpClient({
      guard,
      proxies: { https: `http://user:hunter2@127.0.0.1:${proxy.port}` },
    });
    const error = await http
      .get(testHttpRequest(`https://a.example:${url.port}/`))
      .catch((thrown: unknown) => thrown);
    // The certificate is not trusted: this error shows that the tunnel reached the server.
    expect(error).toMatchObject({
      code: 'source-unreachable',
      message: expect.stringContaining('self-signed certificate'),
    });
    expect(proxy.asked).toEqual([`CONNECT a.example:${url.port}`]);
    expect(proxy.authorizations[0]).toMatch(/^Basic /);
  });

  test.each(['127.0.0.1', '[::1]', '169.254.169.254', '2130706433', 'inside.example'])(
    'does not give access to %s',
    async (host) => {
      const proxy = await startLocalProxy();
      const uri = `http://127.0.0.1:${proxy.port}`;
      const http = testHttpClient({ guard, proxies: { http: uri, https: uri } });
      for (const scheme of ['http', 'https']) {
        const request = testHttpRequest(`${scheme}://${host}:8080/`);
        await expect(http.get(request)).rejects.toMatchObject(REFUSED);
        await expect(http.get(request)).rejects.toMatchObject(REFUSED);
      }
      expect(proxy.asked).toEqual([]);
    },
  );

  test('does not get a redirect to a blocked address', async () => {
    const server = await startLocalServer((_request, response) =>
      response.writeHead(302, { location: 'http://169.254.169.254/latest' }).end(),
    );
    const proxy = await startLocalProxy();
    const http = testHttpClient({ guard, proxies: { http: `http://127.0.0.1:${proxy.port}` } });
    const request = testHttpRequest(`http://a.example:${portOf(server.url)}/`);
    await expect(http.get(request)).rejects.toMatchObject(REFUSED);
    expect(proxy.asked).toHaveLength(1);
  });

  test('is not used before the local resolver has answered, and a late answer counts', async () => {
    const [server, proxy] = await Promise.all([serveHello(), startLocalProxy()]);
    const answers = new Map<string, PromiseWithResolvers<ResolvedAddress[]>>();
    const lookups: string[] = [];
    const slow = createAddressGuard({
      allow: () => [],
      lookup: (host) => {
        lookups.push(host);
        const answer = answers.get(host) ?? Promise.withResolvers<ResolvedAddress[]>();
        answers.set(host, answer);
        return answer.promise;
      },
    });
    const proxies = { http: `http://127.0.0.1:${proxy.port}` };
    const http = testHttpClient({ guard: slow, proxies });
    const get = (host: string, timeoutMs: number) =>
      http.get(testHttpRequest(`http://${host}:${portOf(server.url)}/`, { timeoutMs }));
    const hosts = ['inside.example', 'outside.example', 'unknown.example'];
    // The old limit was 2 s.
    const early = await Promise.allSettled(hosts.map((host) => get(host, 2_500)));
    for (const { status, ...result } of early) {
      expect({ status, ...result }).toMatchObject({ reason: { code: 'source-timeout' } });
    }
    expect(proxy.asked).toEqual([]);

    const later = hosts.map((host) => get(host, 60_000));
    await setImmediate();
    // The later requests share the lookups of the earlier ones.
    expect(lookups).toEqual(hosts);
    answers.get('inside.example')?.resolve([{ address: '10.0.0.1', family: 4 }]);
    answers.get('outside.example')?.resolve([{ address: '93.184.215.14', family: 4 }]);
    answers.get('unknown.example')?.reject(new Error('getaddrinfo EAI_AGAIN'));
    const results = await Promise.allSettled(later);
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'fulfilled']);
    expect(results[0]).toMatchObject({ reason: REFUSED });
    expect(proxy.asked).toHaveLength(2);
    expect(proxy.asked.join()).not.toContain('inside.example');
  });

  test('is skipped for NO_PROXY targets, whose addresses are checked', async () => {
    const [server, proxy] = await Promise.all([serveHello(), startLocalProxy()]);
    const proxies = { http: `http://127.0.0.1:${proxy.port}`, except: '127.0.0.1' };
    expect((await testHttpClient({ proxies }).get(testHttpRequest(server.url))).bytes).toHaveLength(
      5,
    );
    const strict = testHttpClient({ guard, proxies });
    await expect(strict.get(testHttpRequest(server.url))).rejects.toMatchObject(REFUSED);
    expect(proxy.asked).toEqual([]);
  });

  test.each([403, 407, 502])(
    'that answers %i or is unreachable causes an error without its password',
    async (status) => {
      const proxy = await startLocalProxy({ refuseWith: status });
      for (const port of [proxy.port, 1]) {
        const uri = `http://user:hunter2@127.0.0.1:${port}`;
        const http = testHttpClient({ guard, proxies: { http: uri, https: uri } });
        for (const scheme of ['http', 'https']) {
          const error = await http
            .get(testHttpRequest(`${scheme}://a.example/`))
            .catch((thrown: unknown) => thrown);
          expect(error).toMatchObject({
            code: expect.stringMatching(/^source-(unreachable|http-status)$/),
          });
          expect(shown(error)).not.toMatch(/hunter2|dXNlcjpodW50ZXIy/);
        }
      }
    },
  );
});

/** All that a log could show of an error. */
function shown(error: unknown): string {
  if (!(error instanceof Error)) return JSON.stringify(error) ?? '';
  const own = Object.getOwnPropertyNames(error)
    .filter((name) => name !== 'cause')
    .map((name) => String(Reflect.get(error, name)));
  return [...own, JSON.stringify(error), shown(error.cause)].join('\n');
}

describe('a private certificate authority', () => {
  const ASK = `
    import { HttpClient } from './packages/sources/src/http/http.ts';
    import { createAddressGuard } from './packages/sources/src/network/address-guard.ts';
    import { MemoryBudget } from './packages/sources/src/memory/memory-budget.ts';
    const lookup = async () => { throw new Error('only the proxy knows'); };
    const guard = createAddressGuard({ allow: () => ['127.0.0.1'], lookup });
    const [target, https] = process.argv.slice(1);
    const http = new HttpClient({ userAgent: () => undefined, guard, proxies: { https } });
    const signal = new AbortController().signal;
    const upstream = { requests: 0, bytes: 0 };
    const url = new URL(target);
    const memory = new MemoryBudget({ totalBytes: 1e9 }).open('test');
    await http.get({ url, timeoutMs: 60_000, maxBytes: 100, signal, upstream, memory }).then(
      ({ bytes }) => console.log(Buffer.from(bytes).toString()),
      ({ code, message }) => console.log(code, message),
    );
    await http.close();`;

  async function askInProcess(
    env: Record<string, string>,
    ...targetAndProxy: readonly string[]
  ): Promise<string> {
    const args = ['--input-type=module', '--eval', ASK, ...targetAndProxy];
    const cwd = new URL('../../../../', import.meta.url);
    const { stdout } = await promisify(execFile)(process.execPath, args, { cwd, env });
    return stdout;
  }

  test('is trusted only if NODE_EXTRA_CA_CERTS names it', async () => {
    const certificate = createCertificate('a.example');
    const url = await serveTls(certificate);
    const directory = await mkdtemp(join(tmpdir(), 'syncline-ca-'));
    onTestFinished(() => rm(directory, { recursive: true, force: true }));
    const file = join(directory, 'ca.pem');
    await writeFile(file, certificate.cert);
    expect(await askInProcess({ NODE_EXTRA_CA_CERTS: file }, url)).toBe('hello\n');
    expect(await askInProcess({}, url)).toMatch(/^source-unreachable .*self-signed certificate/);
    // The certificate is also trusted through a tunnel, for the requested name.
    const proxy = await startLocalProxy();
    const named = url.replace('127.0.0.1', 'a.example');
    const through = `http://user:pw@127.0.0.1:${proxy.port}`;
    expect(await askInProcess({ NODE_EXTRA_CA_CERTS: file }, named, through)).toBe('hello\n');
    expect(proxy.asked).toHaveLength(1);
    // The client also checks the name in the certificate.
    const other = url.replace('127.0.0.1', '[::ffff:127.0.0.1]');
    expect(await askInProcess({ NODE_EXTRA_CA_CERTS: file }, other)).toMatch(/^source-unreachable/);
  });
});
