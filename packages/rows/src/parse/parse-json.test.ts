import { FUZZ, jsonValues, mutated, nearRows } from '@syncline/contract/testing';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MAX_ENVELOPE_BYTES, MAX_ROW_BYTES, MAX_ROWS } from '../limits.ts';
import type { Body } from './body-bytes.ts';
import { type Attached, parseBody } from './parse-body.ts';
import { parseJson } from './parse-json.ts';
import { RowScanner } from './row-scanner.ts';

/** The envelope of a body, and its rows. */
function scan(json: string | Uint8Array) {
  const bytes = Buffer.from(json);
  const scanner = new RowScanner(0);
  scanner.add(bytes);
  const { starts, ends, isSuspect } = scanner;
  const rows = starts.map((start, row) => bytes.subarray(start, ends[row]).toString());
  return { envelope: scanner.envelope.toString(), rows, isSuspect };
}

describe('the scanner', () => {
  test.each([
    ['[1,"a",{"b":[2]},[]]', '[0,1,2,3]', ['1', '"a"', '{"b":[2]}', '[]']],
    [' [ 1 , 2 ] ', '[0,1]', ['1 ', '2 ']],
    ['{"servers":[{"a":1}],"metadata":{"x":[1]}}', '{"servers":[0],"metadata":{"x":[1]}}', null],
    ['{"servers":{"a":{"b":1},"c":2}}', '{"servers":{"a":0,"c":1}}', ['{"b":1}', '2']],
    [
      '{"data":{"servers":[1],"skills":[2],"plugins":[3],"other":[4]},"skills":[5]}',
      '{"data":{"servers":[0],"skills":[1],"plugins":[2],"other":[4]},"skills":[5]}',
      ['1', '2', '3'],
    ],
    [
      '{"groups":[{"name":"x","servers":{"a":1},"remote_servers":{"b":2}},{"servers":{"c":3}}]}',
      '{"groups":[{"name":"x","servers":{"a":0},"remote_servers":{"b":1}},{"servers":{"c":2}}]}',
      ['1', '2', '3'],
    ],
    ['{"\\u0073ervers":[7]}', '{"\\u0073ervers":[0]}', ['7']],
    ['{"x":{"servers":[7]},"data":[{"servers":[8]}]}', null, []],
    ['{"servers":7,"data":{"x":{"servers":[8]}},"groups":[[{"servers":[9]}]]}', null, []],
    ['{"x" : 1 ,\n"y" :   true , "z":"a  b"}', '{"x":1 ,"y":true ,"z":"a  b"}', []],
    ['[]', '[]', []],
    ['[,]', '[,]', []],
    ['[1 2]', '[0]', ['1 2']],
    ['[{}}]', '[0}]', ['{}']],
    ['[1] [2]', '[0][1]', ['1', '2']],
    [']]]', ']]]', []],
  ])('finds the rows of %s', (json, envelope, rows) => {
    const found = scan(json);
    expect(found.envelope).toBe(envelope ?? json);
    if (rows !== null) expect(found.rows).toEqual(rows);
  });

  test.each(['"[[[[,,,,{{{{"', String.raw`"\"[[,,{{"`, String.raw`"\\"`, '"1e999"'])(
    'ignores brackets and numbers in a string: %s',
    (json) => {
      expect(scan(`[${json},{"a":${json}}]`)).toEqual({
        envelope: '[0,1]',
        rows: [json, `{"a":${json}}`],
        isSuspect: false,
      });
    },
  );

  test.each([
    ['1e999', true],
    ['-2E5', true],
    ['9'.repeat(301), true],
    ['9'.repeat(300), false],
    ['-1.5', false],
  ])('reports whether %s may be too large for a number: %s', (number, isSuspect) => {
    expect(scan(`[{"a":${number}}]`).isSuspect).toBe(isSuspect);
  });

  test('keeps one byte of white space at most', () => {
    const wide = ' '.repeat(MAX_ENVELOPE_BYTES / 4);
    expect(scan(`{${wide}"a"${wide}:${wide}1${wide}}${wide}`).envelope).toBe('{"a":1 }');
  });
});

describe('parseJson', () => {
  const parse = (json: string) => () => parseJson(Buffer.from(json));
  const code = (expected: string) => expect.objectContaining({ code: expected });

  test('accepts an envelope up to its limit', () => {
    const body = (size: number) => `{"x":"${'x'.repeat(size - 8)}"}`;
    expect(parse(body(MAX_ENVELOPE_BYTES))).not.toThrow();
    expect(parse(body(MAX_ENVELOPE_BYTES + 1))).toThrow(code('source-envelope-too-large'));
  });

  test('does not count the rows', () => {
    const row = `"${'x'.repeat(1_000)}"`;
    const rows = Array.from({ length: 2_000 }, () => row);
    expect(parse(`[${rows.join(' ,\n ')}]`)).not.toThrow();
  });

  test('rejects more rows than the limit', () => {
    expect(parse(`[${'1,'.repeat(MAX_ROWS)}1]`)).toThrow(code('source-too-many-rows'));
  });

  test('reads no row above the size limit, not even an invalid one', () => {
    const ofSize = (bytes: number) => `"${'é'.repeat(bytes / 2 - 1)}"`;
    const { readItem } = parse(`[${ofSize(MAX_ROW_BYTES)},${'x'.repeat(MAX_ROW_BYTES + 1)}]`)();
    expect(readItem(0)).toEqual({ value: 'é'.repeat(MAX_ROW_BYTES / 2 - 1) });
    expect(readItem(1)).toEqual({
      flaw: `has ${MAX_ROW_BYTES + 1} bytes. The limit is ${MAX_ROW_BYTES}. It starts with ${'x'.repeat(80)}`,
    });
  });
});

/** What a body contains, or the code of its error. */
type Content = ReturnType<typeof contentOf> | string;

function contentOf(body: Body) {
  const { format, rowCount, nextCursor, readRows, readAttached } = parseBody(body);
  const attached: Attached[] = [...readAttached()];
  return { format, rowCount, nextCursor, attached, rows: [...readRows(1)] };
}

function read(body: Body): Content {
  try {
    return contentOf(body);
  } catch (error) {
    return Object(error).code ?? String(error);
  }
}

/** Returns whether one call of `JSON.parse` accepts the body. */
function isJson(body: Uint8Array): boolean {
  try {
    JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
    return true;
  } catch {
    return false;
  }
}

const items = fc.array(fc.oneof(nearRows, jsonValues), { maxLength: 4 });
const entries = fc.dictionary(fc.constantFrom('a', 'b/c', '__proto__', 'd'), jsonValues);
const group = fc.record({ servers: entries, remote_servers: entries }, { requiredKeys: [] });
const bodies = fc.oneof(
  jsonValues,
  items,
  fc.record({ servers: items, metadata: jsonValues }, { requiredKeys: ['servers'] }),
  fc.record({ data: fc.record({ servers: items, skills: items, plugins: items }) }),
  fc.record({
    version: fc.constant('1'),
    servers: fc.oneof(items, entries),
    remote_servers: entries,
    groups: fc.array(group, { maxLength: 3 }),
  }),
  nearRows,
);
const spaced = fc
  .tuple(bodies, fc.constantFrom('', ' ', '\n\t', '    '))
  .map(([value, indent]) => Buffer.from(JSON.stringify(value, null, indent) ?? 'null'));

describe('any body', () => {
  test('has the same content in one piece and in pieces', () => {
    fc.assert(
      fc.property(
        fc.oneof(spaced, spaced.chain(mutated)),
        fc.infiniteStream(fc.nat(20)),
        (body, sizes) => {
          const pieces: Uint8Array[] = [];
          for (let start = 0; start < body.length; ) {
            const end = start + (sizes.next().value ?? 1);
            pieces.push(body.subarray(start, end));
            start = end;
          }
          expect(read(pieces)).toEqual(read(body));
        },
      ),
      FUZZ,
    );
  });

  test('is rejected as not JSON, exactly if JSON.parse rejects it', () => {
    fc.assert(
      fc.property(fc.oneof(spaced, spaced.chain(mutated)), (body) => {
        const content = read(body);
        if (typeof content === 'string') expect(content).toMatch(/^source-/);
        expect(content === 'source-not-json').toBe(!isJson(body));
      }),
      { ...FUZZ, numRuns: 2_000 },
    );
  });

  test('has the same rows as its parsed value', () => {
    fc.assert(
      fc.property(spaced, (body) => {
        const { value, readItem } = parseJson(body);
        expect(restored(value, readItem)).toEqual(JSON.parse(body.toString()));
      }),
      FUZZ,
    );
  });
});

/** Puts the rows back in the places of their numbers. */
function restored(value: unknown, readItem: (item: unknown) => object): unknown {
  const rowOf = (item: unknown) => Object(readItem(item)).value;
  const rowsOf = (list: unknown): unknown => {
    if (Array.isArray(list)) return list.map(rowOf);
    if (typeof list !== 'object' || list === null) return list;
    return fromEntries(Object.entries(list).map(([key, item]) => [key, rowOf(item)]));
  };
  const within = (object: unknown, keys: readonly string[]): unknown => {
    if (typeof object !== 'object' || object === null || Array.isArray(object)) return object;
    return fromEntries(
      Object.entries(object).map(([key, member]) => [
        key,
        keys.includes(key) ? rowsOf(member) : member,
      ]),
    );
  };
  if (Array.isArray(value)) return rowsOf(value);
  const legacy = ['servers', 'remote_servers'];
  const root = within(value, legacy);
  if (typeof root !== 'object' || root === null) return root;
  return fromEntries(
    Object.entries(root).map(([key, member]) => {
      if (key === 'data') return [key, within(member, ['servers', 'skills', 'plugins'])];
      if (key !== 'groups' || !Array.isArray(member)) return [key, member];
      return [key, member.map((it) => within(it, legacy))];
    }),
  );
}

/** Like `Object.fromEntries`, but keeps the key `__proto__` as `JSON.parse` does. */
function fromEntries(members: readonly (readonly [string, unknown])[]): unknown {
  return Object.fromEntries(members);
}
