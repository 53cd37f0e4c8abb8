import { utimes, writeFile } from 'node:fs/promises';
import type { TokenConfig } from '@syncline/contract';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { OPERATE_TOKEN, OPERATE_TOKEN_FILE, READ_TOKEN, testAccess } from '../testing/access.ts';
import { MemoryWorld, serveApi } from '../testing/memory-api.ts';
import { rawRequest } from '../testing/request.ts';
import { createSessions, SESSION_LIFETIME_MS } from './sessions.ts';

const CONFIG = { registries: [{ name: 'official', file: { path: '/registry.json' } }] };
const SYNC = '/v1/registries/official/sync';

let api: Awaited<ReturnType<typeof serveApi>>;
let world: MemoryWorld;
const serve = async (trustedProxies?: string[], clock?: { monotonic: () => number }) => {
  await api?.[Symbol.asyncDispose]();
  world = new MemoryWorld(CONFIG);
  // Nothing answers without a token, so each answer shows what a session permits.
  const options = clock === undefined ? {} : { clock };
  const access = testAccess({ host: '0.0.0.0', trustedProxies, ...options });
  api = await serveApi(world.dependencies({ access }));
};
beforeEach(() => serve());
afterEach(() => api[Symbol.asyncDispose]());

/** Sends a form, as a browser does from our page. */
function submit(path: string, form: Record<string, string>, headers: Record<string, string> = {}) {
  return rawRequest(api.port, {
    method: 'POST',
    path,
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      'sec-fetch-site': 'same-origin',
      ...headers,
    },
    body: String(new URLSearchParams(form)),
  });
}

async function signIn(token: string): Promise<string> {
  const { status, headers } = await submit('/sign-in', { token });
  expect(status).toBe(303);
  return String(headers['set-cookie']).split(';')[0] ?? '';
}

const statusOf = async (method: string, path: string, headers: Record<string, string>) =>
  (await rawRequest(api.port, { method, path, headers })).status;

const OWN = { 'sec-fetch-site': 'same-origin' };

describe('the form', () => {
  test('needs no script and no other site', async () => {
    const page = await rawRequest(api.port, { path: '/sign-in?next=/v1/registries' });
    expect(page.status).toBe(200);
    expect(page.headers['content-type']).toBe('text/html; charset=utf-8');
    expect(page.headers['content-security-policy']).toMatch(
      /^default-src 'none'; style-src 'sha256-[^']+'; form-action 'self'; /,
    );
    expect(page.headers['cache-control']).toBe('no-store');
    expect(page.text).not.toContain('<script');
    expect(page.text).toContain('name="next" value="/v1/registries"');
  });

  test.each([
    'https://evil.example/',
    '//evil.example',
    '/\\evil.example',
    '/.//evil.example',
    'javascript:alert(1)',
    'evil',
    '',
  ])('leads only to pages of this api, not to %s', async (next) => {
    const { headers } = await submit('/sign-in', { token: READ_TOKEN, next });
    expect(headers['location']).toBe('/queues');
    const query = new URLSearchParams({ next });
    const { text } = await rawRequest(api.port, { path: `/sign-in?${query}` });
    expect(text).toContain('name="next" value="/queues"');
  });

  test('shows what it got as text', async () => {
    const query = new URLSearchParams({ next: '/x"><img src=y>' });
    const { text } = await rawRequest(api.port, { path: `/sign-in?${query}` });
    expect(text).not.toContain('<img');
  });

  test('says that a token is wrong, and slows down whoever sends wrong ones', async () => {
    // While the clock stands still, no wait ends.
    await serve(undefined, { monotonic: () => 0 });
    const statuses: number[] = [];
    for (let time = 1; time <= 15; time += 1) {
      const { status, text, headers } = await submit('/sign-in', { token: `wrong-${time}` });
      statuses.push(status);
      expect(text).toContain('role="alert"');
      expect(text).not.toContain(`wrong-${time}`);
      expect(headers['set-cookie']).toBe(undefined);
      expect(headers['retry-after'] === undefined).toBe(status === 401);
    }
    expect(statuses).toEqual([...Array(11).fill(401), 429, 429, 429, 429]);
    expect((await submit('/sign-in', { token: OPERATE_TOKEN })).status).toBe(429);
  });

  test.each<[string, Record<string, string>]>([
    ['another site', { 'sec-fetch-site': 'cross-site' }],
    ['another port', { 'sec-fetch-site': 'same-site' }],
    ['another origin, in an old browser', { 'sec-fetch-site': '', origin: 'https://evil.example' }],
    ['no page', { 'sec-fetch-site': 'none' }],
  ])('is not for pages of %s', async (_what, headers) => {
    for (const path of ['/sign-in', '/sign-out']) {
      const { status, text } = await submit(path, { token: OPERATE_TOKEN }, headers);
      expect(status).toBe(403);
      expect(JSON.parse(text).code).toBe('cross-origin-refused');
    }
  });
});

describe('a session', () => {
  test('permits what its token permits', async () => {
    const reader = { ...OWN, cookie: await signIn(READ_TOKEN) };
    expect(await statusOf('GET', '/v1/registries', reader)).toBe(200);
    expect(await statusOf('GET', '/metrics', reader)).toBe(200);
    expect(await statusOf('POST', SYNC, reader)).toBe(403);
    const operator = { ...OWN, cookie: await signIn(OPERATE_TOKEN) };
    expect(await statusOf('GET', '/v1/registries', operator)).toBe(200);
    expect(await statusOf('POST', SYNC, operator)).toBe(202);
    const { text } = await rawRequest(api.port, { path: '/sign-in', headers: operator });
    expect(text).toContain('signed in as <b>operator</b> with the role <b>operate</b>');
  });

  test('is out of reach of scripts and other sites, and of http where the client uses https', async () => {
    await serve(['127.0.0.1']);
    const attributes = async (headers = {}) => {
      const answer = await submit('/sign-in', { token: READ_TOKEN }, headers);
      return String(answer.headers['set-cookie']);
    };
    expect(await attributes()).toMatch(/; Path=\/; .*HttpOnly; SameSite=Strict$/);
    expect(await attributes({ 'x-forwarded-proto': 'https' })).toMatch(
      /; Secure; SameSite=Strict$/,
    );
  });

  test.each<[string, Record<string, string>, number, number]>([
    ['our page', { 'sec-fetch-site': 'same-origin' }, 200, 202],
    ['our page, in an old browser', { origin: 'http://x.example', host: 'x.example' }, 200, 202],
    ['the address bar', { 'sec-fetch-site': 'none' }, 200, 403],
    ['no page, as far as one can see', {}, 200, 403],
    ['another port', { 'sec-fetch-site': 'same-site' }, 401, 403],
    ['another origin', { origin: 'http://x.example:81', host: 'x.example' }, 401, 403],
    ['an unknown origin', { origin: 'null', host: 'x.example' }, 401, 403],
  ])('from %s', async (_what, headers, read, control) => {
    const caller = { ...headers, cookie: await signIn(OPERATE_TOKEN) };
    expect(await statusOf('GET', '/v1/registries', caller)).toBe(read);
    expect(await statusOf('POST', SYNC, caller)).toBe(control);
    expect(world.state('official').control.requested).toBe(control === 202 ? 1 : 0);
  });

  test('that was changed is no session', async () => {
    const session = await signIn(READ_TOKEN);
    const [, content = '', signature = ''] = /^(.+)\.(.+)$/.exec(session) ?? [];
    const name = (other: string) => session.replace('reader', other);
    for (const cookie of [
      name('operator'),
      name('nobody'),
      name('READER'),
      content,
      `${content}.`,
      `${content}.${'A'.repeat(43)}`,
      `${content}.${signature.slice(1)}`,
      session.replace(/\.(\d)/, '.9$1'),
      session.replace(/\.\d+\./, '..'),
      'syncline_session=',
      'syncline_session=%00',
    ]) {
      expect(await statusOf('GET', '/v1/registries', { ...OWN, cookie }), cookie).toBe(401);
    }
  });

  test('ends with its token, and also when another token has the same name', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    try {
      const cookie = await signIn(OPERATE_TOKEN);
      await writeFile(OPERATE_TOKEN_FILE, 'another-token-for-the-test');
      vi.advanceTimersByTime(1_000);
      expect(await statusOf('POST', SYNC, { ...OWN, cookie })).toBe(401);
      await writeFile(OPERATE_TOKEN_FILE, OPERATE_TOKEN);
      await utimes(OPERATE_TOKEN_FILE, 1, 1);
      vi.advanceTimersByTime(1_000);
      expect(await statusOf('POST', SYNC, { ...OWN, cookie })).toBe(202);
    } finally {
      vi.useRealTimers();
    }
  });

  test('is valid on every replica', async () => {
    const cookie = await signIn(OPERATE_TOKEN);
    await serve();
    expect(await statusOf('POST', SYNC, { ...OWN, cookie })).toBe(202);
  });

  test('ends after twelve hours', async () => {
    let nowMs = Date.parse('2026-01-01T00:00:00Z');
    const access = testAccess();
    const sessions = createSessions({ tokens: access.tokens, now: () => nowMs });
    const value = sessions.create(await access.checkToken(READ_TOKEN, ''));
    const identify = () =>
      sessions.identify({
        method: 'GET',
        headers: { cookie: `syncline_session=${value}` },
        client: '127.0.0.1',
      });
    expect(await identify()).toEqual({ name: 'reader', role: 'read', via: 'session' });
    nowMs += SESSION_LIFETIME_MS;
    expect(await identify()).toBe(undefined);
  });

  test('has the role that its token has now', async () => {
    let role: TokenConfig['role'] = 'operate';
    const access = testAccess({ tokens: [] });
    access.tokens.follow(() => [{ name: 'ci', role, tokenFile: OPERATE_TOKEN_FILE }]);
    const sessions = createSessions(access);
    const value = sessions.create(await access.checkToken(OPERATE_TOKEN, ''));
    role = 'read';
    const headers = { cookie: `syncline_session=${value}` };
    expect(await sessions.identify({ method: 'GET', headers, client: '' })).toMatchObject({ role });
  });

  test('ends with a sign-out', async () => {
    const { status, headers } = await submit('/sign-out', {});
    expect([status, headers['location']]).toEqual([303, '/sign-in']);
    expect(String(headers['set-cookie'])).toMatch(/^syncline_session=; .*Expires=Thu, 01 Jan 1970/);
  });

  test('does not help someone who sends wrong tokens', async () => {
    const cookie = await signIn(OPERATE_TOKEN);
    const headers = { ...OWN, cookie, authorization: 'Bearer wrong' };
    expect(await statusOf('GET', '/v1/registries', headers)).toBe(401);
  });
});
