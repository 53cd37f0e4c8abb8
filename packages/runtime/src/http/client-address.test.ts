import { expect, test } from 'vitest';
import { addressGroup, createArrivals, createClientAddress } from './client-address.ts';

const PROXIES = { trustedProxies: ['10.0.0.0/8', '192.0.2.7', 'fd00::/8'] };

function arriving(remoteAddress: string | undefined, headers: Record<string, string> = {}) {
  return { socket: { remoteAddress }, headers };
}

function client(remoteAddress: string | undefined, headers: Record<string, string> = {}) {
  return createClientAddress(PROXIES)(arriving(remoteAddress, headers));
}

test('without trusted proxies, the client is the sender of the connection', () => {
  const clientOf = createClientAddress({});
  expect(clientOf(arriving('127.0.0.1', { 'x-forwarded-for': '203.0.113.9' }))).toBe('127.0.0.1');
  expect(clientOf(arriving('::ffff:127.0.0.1'))).toBe('127.0.0.1');
  expect(clientOf(arriving(undefined))).toBe('unknown');
});

test('a client that is no trusted proxy cannot name another client', () => {
  for (const header of ['x-forwarded-for', 'forwarded', 'x-real-ip']) {
    expect(client('203.0.113.1', { [header]: '203.0.113.9' })).toBe('203.0.113.1');
  }
});

test.each([
  ['203.0.113.9', '203.0.113.9'],
  ['6.6.6.6, 203.0.113.9', '203.0.113.9'],
  ['6.6.6.6, 203.0.113.9, 10.1.1.1', '203.0.113.9'],
  ['203.0.113.9,10.1.1.1,192.0.2.7', '203.0.113.9'],
  ['203.0.113.9:4711', '203.0.113.9'],
  ['::ffff:203.0.113.9', '203.0.113.9'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['[2001:db8:1:2:aaaa::1]:4711', '2001:db8:1:2::/64'],
  ['10.1.1.1', '10.1.1.1'],
  ['unknown', '10.0.0.1'],
  ['203.0.113.9, unknown', '10.0.0.1'],
  ['', '10.0.0.1'],
])('a trusted proxy that sends X-Forwarded-For: %s names the client %s', (chain, expected) => {
  expect(client('10.0.0.1', { 'x-forwarded-for': chain })).toBe(expected);
  expect(client('::ffff:10.0.0.1', { 'x-forwarded-for': chain })).toBe(expected);
});

test.each([
  ['for=203.0.113.9', '203.0.113.9'],
  ['for=6.6.6.6;proto=http, For="203.0.113.9:4711";proto=https', '203.0.113.9'],
  ['for="[2001:db8:1:2::9]:80"', '2001:db8:1:2::/64'],
  ['for=203.0.113.9, for=_hidden', '10.0.0.1'],
  ['proto=https', '10.0.0.1'],
])('a trusted proxy that sends Forwarded: %s names the client %s', (forwarded, expected) => {
  expect(client('10.0.0.1', { forwarded })).toBe(expected);
});

test('headers that name different clients name none', () => {
  const headers = { 'x-forwarded-for': '203.0.113.9', forwarded: 'for=6.6.6.6' };
  expect(client('10.0.0.1', headers)).toBe('10.0.0.1');
  expect(client('10.0.0.1', { ...headers, forwarded: 'for=203.0.113.9' })).toBe('203.0.113.9');
});

test('only a trusted proxy can say that the client used https', () => {
  const { isHttps, isProxied } = createArrivals(PROXIES);
  const https = { 'x-forwarded-proto': 'https' };
  expect(isHttps(arriving('203.0.113.1', https))).toBe(false);
  expect(isHttps(arriving('10.0.0.1', https))).toBe(true);
  expect(isHttps(arriving('10.0.0.1', { 'x-forwarded-proto': 'https, http' }))).toBe(false);
  expect(isHttps(arriving('10.0.0.1', { forwarded: 'for=1.2.3.4;proto=https' }))).toBe(true);
  expect(isHttps(arriving('10.0.0.1', { forwarded: 'proto=https, for=1.2.3.4' }))).toBe(false);
  expect(isHttps(arriving('10.0.0.1'))).toBe(false);
  expect([isProxied(arriving('fd00::1')), isProxied(arriving('203.0.113.1'))]).toEqual([
    true,
    false,
  ]);
});

test.each([
  ['127.0.0.2', '127.0.0.2'],
  ['::ffff:127.0.0.2', '127.0.0.2'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:0db8:0001:0002::1', '2001:db8:1:2::/64'],
  ['fe80::1%eth0', 'fe80::/64'],
  ['::1', '::/64'],
  ['', ''],
  ['unknown', 'unknown'],
])('%s is in the group %s', (address, group) => {
  expect(addressGroup(address)).toBe(group);
});
