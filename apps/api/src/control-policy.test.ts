import { describe, expect, test } from 'vitest';
import { type ControlHeaders, createControlPolicy, refuseControl } from './control-policy.ts';

const LOCAL = { host: '127.0.0.1:8080' };

function refusal(
  policy: { host: string; token?: string },
  headers: ControlHeaders,
): string | undefined {
  return refuseControl(createControlPolicy(policy), headers)?.code;
}

describe('control with a token configured', () => {
  const policy = { host: '0.0.0.0', token: 'secret-token' };

  test('is permitted with the token from anywhere', () => {
    const headers = { authorization: 'Bearer secret-token', host: 'api.example.com' };
    expect(refusal(policy, headers)).toBeUndefined();
    expect(refusal(policy, { authorization: 'bearer secret-token' })).toBeUndefined();
  });

  test.each([
    undefined,
    '',
    'Bearer',
    'Bearer ',
    'Bearer secret-tokem',
    'Bearer secret-token-and-more',
    'Bearer secret token',
    'Basic secret-token',
    'secret-token',
  ])('is refused without the token: %s', (authorization) => {
    expect(refusal(policy, { authorization, ...LOCAL })).toBe('unauthorized');
    expect(refusal({ ...policy, host: '127.0.0.1' }, { authorization, ...LOCAL })).toBe(
      'unauthorized',
    );
  });
});

describe('control without a token configured', () => {
  test.each(['127.0.0.1', 'localhost', '::1', '127.0.0.53'])(
    'is enabled on the loopback address %s',
    (host) => {
      expect(refusal({ host }, LOCAL)).toBeUndefined();
    },
  );

  test.each([
    '0.0.0.0',
    '::',
    '192.168.1.5',
    'example.com',
    '',
    '127.0.0.1.example.com',
    '127.999.1.1',
  ])('is disabled on the address %j, even for this machine', (host) => {
    expect(refusal({ host }, LOCAL)).toBe('control-disabled');
  });

  test.each<[string, ControlHeaders]>([
    ['a program', { host: 'localhost:8080' }],
    ['a Host header without a port', { host: 'LOCALHOST' }],
    ['an IPv6 Host header', { host: '[::1]:8080' }],
    ['our own page', { host: 'localhost:8080', origin: 'http://localhost:8080' }],
    ['our own page, by Sec-Fetch-Site', { ...LOCAL, 'sec-fetch-site': 'same-origin' }],
    ['a URL typed into the address bar', { ...LOCAL, 'sec-fetch-site': 'none' }],
  ])('is permitted to %s', (_who, headers) => {
    expect(refusal({ host: '127.0.0.1' }, headers)).toBeUndefined();
  });

  test.each<[string, ControlHeaders]>([
    ['a page of another site', { ...LOCAL, origin: 'https://evil.example' }],
    ['a page of another port', { ...LOCAL, origin: 'http://127.0.0.1:3000' }],
    ['a page with the origin null', { ...LOCAL, origin: 'null' }],
    ['a link from another site', { ...LOCAL, 'sec-fetch-site': 'cross-site' }],
    ['a name that resolves to us', { host: 'evil.example:8080' }],
    [
      'a page of a name that resolves to us',
      { host: 'evil.example:8080', origin: 'http://evil.example:8080' },
    ],
    ['a name that begins like ours', { host: '127.0.0.1.evil.example' }],
    ['a name that looks like our address', { host: '127.999.1.1' }],
    ['a name of digits', { host: '127.0.0.256:8080' }],
    ['a name that ends like ours', { host: 'evil-localhost' }],
    ['a request without a Host header', {}],
  ])('is refused to %s', (_who, headers) => {
    expect(refusal({ host: '127.0.0.1' }, headers)).toBe('cross-origin-refused');
  });

  test('is refused to a request that came through a proxy', () => {
    expect(refusal({ host: '127.0.0.1' }, { ...LOCAL, 'x-forwarded-for': '203.0.113.9' })).toBe(
      'control-disabled',
    );
  });
});
