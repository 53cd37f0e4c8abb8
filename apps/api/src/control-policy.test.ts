import { describe, expect, test } from 'vitest';
import { type ControlHeaders, createControlPolicy, refuseControl } from './control-policy.ts';

const LOCAL = { host: '127.0.0.1:8080' };

function refusal(
  policy: { host: string; token?: string },
  headers: ControlHeaders,
): string | undefined {
  return refuseControl(createControlPolicy(policy), headers)?.code;
}

describe('with a token', () => {
  const policy = { host: '0.0.0.0', token: 'secret-token' };

  test('the token is all it takes, from anywhere', () => {
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
  ])('rejects requests without it: %s', (authorization) => {
    expect(refusal(policy, { authorization, ...LOCAL })).toBe('unauthorized');
    expect(refusal({ ...policy, host: '127.0.0.1' }, { authorization, ...LOCAL })).toBe(
      'unauthorized',
    );
  });
});

describe('without a token', () => {
  test.each(['127.0.0.1', 'localhost', '::1', '127.0.0.53'])('bound to %s it is on', (host) => {
    expect(refusal({ host }, LOCAL)).toBeUndefined();
  });

  test.each(['0.0.0.0', '::', '192.168.1.5', 'example.com', '', '127.0.0.1.example.com'])(
    'bound to %j it is off, also for this machine',
    (host) => {
      expect(refusal({ host }, LOCAL)).toBe('control-disabled');
    },
  );

  test.each<[string, ControlHeaders]>([
    ['a program', { host: 'localhost:8080' }],
    ['without a port', { host: 'LOCALHOST' }],
    ['IPv6', { host: '[::1]:8080' }],
    ['our own page', { host: 'localhost:8080', origin: 'http://localhost:8080' }],
    ['our own page, as browsers say it', { ...LOCAL, 'sec-fetch-site': 'same-origin' }],
    ['typed into the address bar', { ...LOCAL, 'sec-fetch-site': 'none' }],
  ])('lets in %s', (_who, headers) => {
    expect(refusal({ host: '127.0.0.1' }, headers)).toBeUndefined();
  });

  test.each<[string, ControlHeaders]>([
    ['a page of another site', { ...LOCAL, origin: 'https://evil.example' }],
    ['a page of another port', { ...LOCAL, origin: 'http://127.0.0.1:3000' }],
    ['a page without an origin', { ...LOCAL, origin: 'null' }],
    ['a link from elsewhere', { ...LOCAL, 'sec-fetch-site': 'cross-site' }],
    ['a name that resolves to us', { host: 'evil.example:8080' }],
    ['its page', { host: 'evil.example:8080', origin: 'http://evil.example:8080' }],
    ['a name that begins like ours', { host: '127.0.0.1.evil.example' }],
    ['a name that ends like ours', { host: 'evil-localhost' }],
    ['no Host at all', {}],
  ])('refuses %s', (_who, headers) => {
    expect(refusal({ host: '127.0.0.1' }, headers)).toBe('cross-origin-refused');
  });

  test('refuses what came through a proxy', () => {
    expect(refusal({ host: '127.0.0.1' }, { ...LOCAL, 'x-forwarded-for': '203.0.113.9' })).toBe(
      'control-disabled',
    );
  });
});
