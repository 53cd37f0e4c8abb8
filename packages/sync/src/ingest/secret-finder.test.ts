import { describe, expect, test } from 'vitest';
import { createSecretFinder } from './secret-finder.ts';

const SECRET = 's3cret/"+\\é-1f7c~x';
const LOGIN = `alice:${SECRET}`;

/** Returns whether the finder finds the secret in a row with this description. */
function finds(description: string, ...secrets: string[]): boolean {
  return createSecretFinder(secrets)(JSON.stringify({ server: { name: 'a/b', description } }));
}

describe('a credential is found in a row', () => {
  test.each([
    ['as it is', `got Authorization: Bearer ${SECRET}!`],
    ['percent-encoded', `https://x.example/?token=${encodeURIComponent(SECRET)}`],
    ['percent-encoded in lower case', encodeURIComponent(SECRET).toLowerCase()],
    ['in base64', Buffer.from(SECRET).toString('base64')],
    ['in base64 before more text', Buffer.from(`${SECRET}, and more`).toString('base64')],
    ['in base64url', Buffer.from(SECRET).toString('base64url')],
  ])('%s', (_how, description) => {
    expect(finds(description, SECRET)).toBe(true);
    expect(finds(description, 'another-secret')).toBe(false);
  });

  test('as the login of basic authentication', () => {
    expect(finds(`Basic ${Buffer.from(LOGIN).toString('base64')}`, SECRET, LOGIN)).toBe(true);
  });
});

test.each([
  ['the header', `Basic ${Buffer.from(LOGIN).toString('base64')}`],
  ['its value', Buffer.from(LOGIN).toString('base64')],
  ['the password', SECRET],
])('%s of an Authorization header in a file is found', (_what, description) => {
  const header = `Basic ${Buffer.from(LOGIN).toString('base64')}`;
  expect(finds(description, header)).toBe(true);
});

test('a short credential is not searched, because ordinary rows contain it', () => {
  expect(finds('a registry of servers', 'a', '', 'server')).toBe(false);
  expect(finds('a registry of servers', 'servers!')).toBe(false);
});
