import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  conditionsOf,
  confirms,
  formatRevision,
  parseRevision,
  validatorsOf,
} from './validators.ts';

const DIGEST = 'a'.repeat(64);
const MODIFIED = 'Sun, 01 Feb 2026 12:00:00 GMT';

describe('validatorsOf', () => {
  test.each(['"abc"', 'W/"abc"', '""', '"a:b,c;d=\'{}<>|^~"', '"abc-gzip"'])(
    'keeps the entity tag %s',
    (etag) => {
      expect(validatorsOf({ etag })).toEqual({ etag });
      expect(conditionsOf({ etag })).toEqual({ 'if-none-match': etag });
    },
  );

  test.each(['*', 'abc', '"a", "b"', '"a"b"', '"a b"', 'w/"abc"', '"ä"', '"a\t"', '', 'W/"abc'])(
    'ignores the invalid entity tag %s',
    (etag) => {
      expect(validatorsOf({ etag })).toEqual({});
    },
  );

  test('ignores an entity tag that is too long, and several of them', () => {
    expect(validatorsOf({ etag: `"${'a'.repeat(600)}"` })).toEqual({});
    expect(validatorsOf({ etag: ['"a"', '"b"'] })).toEqual({});
  });

  test.each<[date: string | undefined, isTrusted: boolean]>([
    ['Sun, 01 Feb 2026 12:02:00 GMT', true],
    ['Sun, 01 Feb 2026 12:00:30 GMT', false],
    [MODIFIED, false],
    ['Sun, 01 Feb 2026 11:00:00 GMT', false],
    ['soon', false],
    [undefined, false],
  ])('keeps a modification time only if it is old enough: sent at %s', (date, isTrusted) => {
    const headers = { 'last-modified': MODIFIED, ...(date !== undefined && { date }) };
    expect(validatorsOf(headers)).toEqual(isTrusted ? { lastModified: MODIFIED } : {});
  });
});

test('a conditional request has the entity tag or else the time, never both', () => {
  expect(conditionsOf({ etag: '"a"', lastModified: MODIFIED })).toEqual({ 'if-none-match': '"a"' });
  expect(conditionsOf({ lastModified: MODIFIED })).toEqual({ 'if-modified-since': MODIFIED });
  expect(conditionsOf({})).toBeUndefined();
});

test.each<[known: string, answered: string, isConfirmed: boolean]>([
  ['"a"', '"a"', true],
  ['W/"a"', '"a"', true],
  ['"a-gzip"', '"a"', true],
  ['"a"', 'W/"a;gzip"', true],
  ['"a"', '"b"', false],
  ['"a-gzip"', '"b-gzip"', false],
])('after a request for %s, a 304 with %s confirms it: %s', (etag, answered, isConfirmed) => {
  expect(confirms({ etag }, { etag: answered })).toBe(isConfirmed);
  expect(confirms({ etag }, {})).toBe(true);
});

describe('a revision', () => {
  test.each([
    { digest: DIGEST },
    { digest: DIGEST, etag: 'W/"a:b"' },
    { digest: DIGEST, etag: '"a"', lastModified: MODIFIED },
  ])('is read as it was formatted: %j', (revision) => {
    expect(parseRevision(formatRevision(revision))).toEqual(revision);
  });

  test('of another kind of source, or with an invalid tag, is rejected', () => {
    for (const text of ['', 'x', '1-2-3:abc', '{}', 'null', '{"digest":"a","etag":"*"}']) {
      expect(parseRevision(text), text).toBeUndefined();
    }
    fc.assert(
      fc.property(fc.string(), (text) => parseRevision(text) === undefined),
      { seed: 7 },
    );
  });
});
