import { expect, test } from 'vitest';
import { proxyFor } from './outgoing.ts';

const HTTP = 'http://proxy.example:3128';
const HTTPS = 'https://proxy.example:3129';

test('http and https targets have separate proxies', () => {
  const proxies = { http: HTTP, https: HTTPS };
  expect(proxyFor(new URL('http://a.example/'), proxies)).toBe(HTTP);
  expect(proxyFor(new URL('https://a.example/'), proxies)).toBe(HTTPS);
  expect(proxyFor(new URL('https://a.example/'), { http: HTTP })).toBeUndefined();
  expect(proxyFor(new URL('https://a.example/'), {})).toBeUndefined();
});

test.each<[except: string, target: string, isProxied: boolean]>([
  ['', 'http://a.example/', true],
  ['*', 'http://a.example/', false],
  ['b.example', 'http://a.example/', true],
  ['a.example', 'http://a.example/', false],
  ['A.Example', 'http://a.example./', false],
  ['a.example', 'http://sub.a.example/', false],
  ['.a.example', 'http://sub.a.example/', false],
  ['.a.example', 'http://a.example/', false],
  ['*.a.example', 'http://sub.a.example/', false],
  ['*.a.example', 'http://a.example/', true],
  ['a.example', 'http://nota.example/', true],
  ['b.example, a.example', 'http://a.example/', false],
  ['b.example a.example', 'http://a.example/', false],
  ['a.example:80', 'http://a.example/', false],
  ['a.example:81', 'http://a.example/', true],
  ['a.example:81', 'http://a.example:81/', false],
  ['a.example:443', 'https://a.example/', false],
  ['10.0.0.0/8', 'http://10.1.2.3/', false],
  ['10.0.0.0/8', 'http://11.1.2.3/', true],
  ['10.1.2.3', 'http://10.1.2.3:8080/', false],
  ['10.1.2.3:80', 'http://10.1.2.3:8080/', true],
  ['::1', 'http://[::1]/', false],
  ['[::1]', 'http://[0:0::1]/', false],
  ['[::1]:81', 'http://[::1]/', true],
  ['fd00::/8', 'http://[fd12::1]/', false],
  ['.', 'http://a.example/', true],
  [',,', 'http://a.example/', true],
])('with NO_PROXY=%s, %s uses the proxy: %s', (except, target, isProxied) => {
  const proxy = proxyFor(new URL(target), { http: HTTP, https: HTTP, except });
  expect(proxy).toBe(isProxied ? HTTP : undefined);
});
