import { FUZZ, jsonValues } from '@syncline/contract/testing';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type JsonShape, scanJson } from './parse-json.ts';

const WIDE = { depth: 1_000, values: 1_000_000, entries: 1_000_000, keys: 1_000_000 };
const scan = (json: string, limits: Partial<JsonShape> = {}) =>
  scanJson(Buffer.from(json), { ...WIDE, ...limits });

describe('scanJson', () => {
  test.each([
    ['1', { depth: 0, entries: 0, keys: 0 }],
    ['[1,2,3]', { depth: 1, entries: 3, keys: 0 }],
    ['{"a":1,"b":[1,2]}', { depth: 2, entries: 2, keys: 2 }],
    ['[{"a":1},{"a":1,"b":2,"c":3},{}]', { depth: 2, entries: 3, keys: 3 }],
    ['[[[[]]]]', { depth: 4 }],
    [' [ 1 , 2 ] ', { depth: 1, entries: 2 }],
  ])('measures %s: %j', (json, found) => {
    expect(scan(json)).toMatchObject(found);
  });

  test.each(['"[[[[,,,,{{{{"', String.raw`"\"[[,,{{"`, String.raw`"\\"`, '"1e999"'])(
    'ignores brackets in a string: %s',
    (json) => {
      expect(scan(`[${json}]`)).toMatchObject({
        depth: 1,
        entries: 1,
        keys: 0,
        hasOddNumber: false,
      });
    },
  );

  test.each([
    ['1e999', true],
    ['-2E5', true],
    ['9'.repeat(301), true],
    ['9'.repeat(300), false],
    ['-1.5', false],
  ])('reports whether %s may be too large for a number: %s', (number, hasOddNumber) => {
    expect(scan(`{"a":${number}}`).hasOddNumber).toBe(hasOddNumber);
  });

  test.each([
    ['depth', '['.repeat(100)],
    ['entries', `[${'1,'.repeat(100)}1]`],
    ['keys', `{${'"a":1,'.repeat(100)}"a":1}`],
    ['values', '[1],'.repeat(100)],
  ] as const)('stops one past the limit for %s', (counted, json) => {
    expect(scan(json, { [counted]: 10 })[counted]).toBe(11);
  });

  test('stops at the end of JSON that is cut off', () => {
    for (const json of ['"abc', '"abc\\', '[1,2', '{"a":', '12']) {
      expect(() => scan(json)).not.toThrow();
    }
  });

  test('measures any JSON like a walk through the parsed value', () => {
    fc.assert(
      fc.property(jsonValues, (value) => {
        const json = JSON.stringify(value);
        const { depth, entries, keys } = scan(json);
        expect({ depth, entries, keys }).toEqual(measured(JSON.parse(json)));
      }),
      FUZZ,
    );
  });
});

/** Measures a parsed value by a walk. An empty list or object counts as one entry. */
function measured(value: unknown): { depth: number; entries: number; keys: number } {
  if (typeof value !== 'object' || value === null) return { depth: 0, entries: 0, keys: 0 };
  const members = Object.values(value);
  const count = Math.max(members.length, 1);
  const inner = members.map(measured);
  const largest = (of: 'depth' | 'entries' | 'keys') => Math.max(0, ...inner.map((it) => it[of]));
  return {
    depth: 1 + largest('depth'),
    entries: Math.max(largest('entries'), Array.isArray(value) ? count : 0),
    keys: Math.max(largest('keys'), Array.isArray(value) ? 0 : count),
  };
}
