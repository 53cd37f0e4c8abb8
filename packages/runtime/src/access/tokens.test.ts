import { mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TokenConfig } from '@syncline/contract';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { adminToken, createTokens, type Tokens } from './tokens.ts';

const FIRST = 'first-token-of-the-test';
const SECOND = 'second-token-of-the-test';

let directory: string;
let nowMs: number;
let lines: [string, object][];
let tokens: Tokens;
let settings: TokenConfig[];
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'syncline-tokens-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  nowMs = 0;
  lines = [];
  const log = (fields: object, message: string) => void lines.push([message, fields]);
  const logger = { debug: log, info: log, warn: log, error: log };
  tokens = createTokens({ logger, clock: { monotonic: () => nowMs } });
  settings = [{ name: 'ci', role: 'read', tokenFile: join(directory, 'ci') }];
  tokens.follow(() => settings);
});

const write = (text: string, name = 'ci') => writeFile(join(directory, name), text);
/** Returns the name of the token with this text, as it is a second later. */
async function nameOf(text: string): Promise<string | undefined> {
  nowMs += 1_000;
  return (await tokens.find(text))?.name;
}

test('a token is the text of its file, without white space around it', async () => {
  await write(` ${FIRST}\n`);
  expect(await nameOf(FIRST)).toBe('ci');
  for (const text of ['', ` ${FIRST}`, FIRST.slice(1), `${FIRST}x`, SECOND]) {
    expect(await nameOf(text)).toBe(undefined);
  }
});

test('a file that is written or replaced is read again', async () => {
  await write(FIRST);
  expect(await nameOf(FIRST)).toBe('ci');
  await write(SECOND);
  expect([await nameOf(FIRST), await nameOf(SECOND)]).toEqual([undefined, 'ci']);
  await write(FIRST, 'new');
  await rename(join(directory, 'new'), join(directory, 'ci'));
  expect([await nameOf(FIRST), await nameOf(SECOND)]).toEqual(['ci', undefined]);
  expect(lines.map(([message]) => message)).toEqual([
    'token file read again',
    'token file read again',
  ]);
});

test('a link that is pointed to another file is read again, as Kubernetes does it', async () => {
  await write(FIRST, 'one');
  await write(SECOND, 'two');
  await symlink('one', join(directory, 'ci'));
  expect(await nameOf(FIRST)).toBe('ci');
  await symlink('two', join(directory, 'next'));
  await rename(join(directory, 'next'), join(directory, 'ci'));
  expect([await nameOf(FIRST), await nameOf(SECOND)]).toEqual([undefined, 'ci']);
});

test('files are looked at once a second at most', async () => {
  await write(FIRST);
  expect(await nameOf(FIRST)).toBe('ci');
  await write(SECOND);
  expect((await tokens.find(FIRST))?.name).toBe('ci');
  expect(await nameOf(SECOND)).toBe('ci');
});

test('a file that becomes invalid closes only its token, with one line', async () => {
  settings.push({ name: 'ops', role: 'operate', tokenFile: join(directory, 'ops') });
  await write(FIRST);
  await write(SECOND, 'ops');
  expect([await nameOf(FIRST), await nameOf(SECOND)]).toEqual(['ci', 'ops']);
  await rm(join(directory, 'ci'));
  expect([await nameOf(FIRST), await nameOf(SECOND)]).toEqual([undefined, 'ops']);
  expect(lines).toEqual([
    [
      'token closed: invalid token file',
      expect.objectContaining({ principal: 'ci', reason: expect.stringContaining('cannot read') }),
    ],
  ]);
  expect(tokens.isConfigured('read')).toBe(true);
  await write(FIRST);
  expect(await nameOf(FIRST)).toBe('ci');
});

test.each([
  ['', 'one ASCII word'],
  ['two words that are long', 'one ASCII word'],
  ['two-lines\nthat-are-long', 'one ASCII word'],
  ['fifteen-letters', '15 characters: use at least 16'],
  ['x'.repeat(5_000), 'at most 4096'],
  ['x'.repeat(50_000), 'too large'],
])('a file with the text %j contains no token', async (text, problem) => {
  await write(text);
  expect(await nameOf(text)).toBe(undefined);
  expect(JSON.stringify(lines)).toContain(problem);
  expect(JSON.stringify(lines)).toContain('openssl rand -hex 32');
  if (text.length > 0) expect(JSON.stringify(lines)).not.toContain(text);
});

test('a directory or a pipe is no token file', async () => {
  settings = [{ name: 'ci', role: 'read', tokenFile: directory }];
  expect(await nameOf('')).toBe(undefined);
  expect(JSON.stringify(lines)).toContain('is not a file');
});

test('a token that leaves the config is closed at once', async () => {
  await write(FIRST);
  expect(await nameOf(FIRST)).toBe('ci');
  settings = [];
  expect(await tokens.find(FIRST)).toBe(undefined);
});

test('the admin token must be valid at the start', async () => {
  await expect(tokens.requireAdmin()).resolves.toBe(undefined);
  tokens.follow(() => [adminToken(join(directory, 'admin'))]);
  await expect(tokens.requireAdmin()).rejects.toMatchObject({
    code: 'config-invalid',
    message: expect.stringMatching(/^SYNCLINE_ADMIN_TOKEN_FILE: cannot read .+admin\. Check/),
  });
  await write('short', 'admin');
  await expect(tokens.requireAdmin()).rejects.toMatchObject({
    code: 'config-invalid',
    message: expect.not.stringContaining('short'),
  });
  await write(FIRST, 'admin');
  await expect(tokens.requireAdmin()).resolves.toBe(undefined);
  expect(await tokens.find(FIRST)).toMatchObject({ name: 'admin', role: 'operate' });
});
