import { configSchema } from '@syncline/contract';
import { expect, test } from 'vitest';
import { formatAddresses } from './addresses.ts';

function addresses(host: string, names: readonly string[]): string[] {
  const config = configSchema.parse({
    registries: names.map((name) => ({ name, file: { path: '/data.json' } })),
    catalogs: [{ name: 'default', registries: [names[0]] }],
  });
  const text = formatAddresses({ host, port: 8080, tokenFile: '.syncline/admin.token', config });
  return text.split('\n').map((line) => line.trim());
}

test('addresses of catalogs come first', () => {
  expect(addresses('127.0.0.1', ['one'])).toEqual([
    '',
    'Listening; Ctrl-C stops',
    'Catalogs    http://127.0.0.1:8080/registry/default/v0.1/servers',
    'http://127.0.0.1:8080/registry/one/v0.1/servers',
    'Status      http://127.0.0.1:8080/v1/registries',
    'Bull Board  http://127.0.0.1:8080/queues',
    'Metrics     http://127.0.0.1:8080/metrics',
    'Sign in     http://127.0.0.1:8080/sign-in',
    'Token       .syncline/admin.token (permits control over HTTP)',
    '',
  ]);
});

test('only a few of many addresses are shown', () => {
  const lines = addresses('127.0.0.1', ['a', 'b', 'c', 'd', 'e', 'f', 'g']);
  expect(lines.filter((line) => line.includes('/registry/'))).toHaveLength(5);
  expect(lines).toContain('and 3 more: http://127.0.0.1:8080/v1/catalogs');
});

test.each([
  ['0.0.0.0', 'http://localhost:8080/metrics'],
  ['::', 'http://localhost:8080/metrics'],
  ['::1', 'http://[::1]:8080/metrics'],
])('an address that browsers can open is shown for %s', (host, url) => {
  expect(addresses(host, ['one']).join('\n')).toContain(url);
});
