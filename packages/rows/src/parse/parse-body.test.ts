import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { MAX_ROW_BYTES } from '../limits.ts';
import { type ParsedBody, parseBody } from './parse-body.ts';

const server = { name: 'a', version: '1', description: 'x' };

function parse(value: unknown) {
  return shown(parseBody(Buffer.from(JSON.stringify(value))));
}

/** A body with its rows, skills and plugins read. */
function shown({ readRows, readAttached, ...body }: ParsedBody) {
  const attached = [...readAttached()];
  const jsonOf = (kind: string) => attached.filter((it) => it.kind === kind).map((it) => it.json);
  return {
    ...body,
    skills: jsonOf('skills'),
    plugins: jsonOf('plugins'),
    rows: [...readRows(1)].map((it) => (it.ok ? it.row.json : `${it.label}: ${it.reason}`)),
  };
}

const json = JSON.stringify({ server, _meta: {} });

/** Returns nested lists. */
function nested(levels: number): string {
  return '['.repeat(levels) + ']'.repeat(levels);
}

describe('parseBody', () => {
  test('reads a list of the MCP Registry API', () => {
    const rows = [{ server, _meta: {} }];
    expect(parse({ servers: rows, metadata: { count: 1 } })).toEqual({
      format: 'registry-list',
      rowCount: 1,
      rows: [json],
      nextCursor: undefined,
      skills: [],
      plugins: [],
    });
  });

  test.each([
    [{ nextCursor: 'a:1' }, 'a:1'],
    [{ next_cursor: 'a:1' }, 'a:1'],
    [{ nextCursor: 'new', next_cursor: 'old' }, 'new'],
    [{ nextCursor: '' }, undefined],
    [{ nextCursor: null }, undefined],
    [{}, undefined],
    [null, undefined],
    [undefined, undefined],
  ])('reads from the metadata %j the next cursor %s', (metadata, cursor) => {
    expect(parse({ servers: [], metadata }).nextCursor).toBe(cursor);
  });

  test('reads null as a list without rows', () => {
    expect(parse({ servers: null, metadata: {} })).toMatchObject({ rows: [] });
  });

  test('reads an upstream registry with its skills and plugins', () => {
    const data = { servers: [server], skills: [{ name: 's' }, 7], plugins: [{}] };
    expect(parse({ $schema: 'x', version: '1.0.0', meta: {}, data })).toMatchObject({
      format: 'upstream-registry',
      rows: [json],
      skills: ['{"name":"s"}', '7'],
      plugins: ['{}'],
    });
    expect(parse({ data: { skills: null } })).toMatchObject({ rows: [], skills: [] });
  });

  test('reads a bare array', () => {
    expect(parse([server])).toMatchObject({ format: 'server-array', rows: [json] });
    expect(parse([])).toMatchObject({ rows: [] });
  });

  test.each<[what: string, value: object, row: string | RegExp]>([
    ['a server.json', server, json],
    ['a server.json with the _meta of a registry', { server, _meta: {} }, json],
    [
      'a server.json without a description',
      { name: 'a', version: '1' },
      /^a@1: server\.description/,
    ],
    [
      'a server.json whose version is a number',
      { name: 'a', version: 1.5 },
      /server\.version is missing/,
    ],
  ])('reads %s as a body of one row', (_what, value, row) => {
    expect(parse(value)).toMatchObject({
      format: 'single-server',
      rows: [typeof row === 'string' ? row : expect.stringMatching(row)],
    });
  });

  test('ignores a byte order mark', () => {
    expect(parseBody(Buffer.from('\ufeff[]'))).toMatchObject({ format: 'server-array' });
  });

  test.each<[body: string | Uint8Array, looks: RegExp]>([
    ['', /an empty body/],
    [' \n', /an empty body/],
    ['<!DOCTYPE html><p>Sign in', /an HTML page/],
    ['\n<HTML>', /an HTML page/],
    ['<?xml version="1.0"?>', /XML/],
    ['{"servers": [', /invalid or truncated JSON/],
    ['[1, 2', /invalid or truncated JSON/],
    ['version: 1', /text that is not JSON and starts with "version: 1"/],
    [gzipSync('[]'), /gzip data/],
    [Buffer.from('\ufeff[]', 'utf16le'), /text in UTF-16/],
    [Buffer.from('\ufeff[]', 'utf16le').swap16(), /text in UTF-16/],
    [Buffer.from('[]', 'utf16le'), /text in UTF-16/],
    [Buffer.from('[]', 'utf16le').swap16(), /text in UTF-16/],
    [Buffer.from('[{"name": "caf\u00e9"}]', 'latin1'), /not valid UTF-8, perhaps text in Latin-1/],
    ['[{"name": "a\0b"}]', /invalid or truncated JSON/],
    ['[NaN]', /invalid or truncated JSON/],
    [Uint8Array.of(0xc3, 0x28), /2 bytes that are not valid UTF-8/],
  ])('rejects %j as not JSON, and describes it', (body, looks) => {
    const parsing = () => shown(parseBody(typeof body === 'string' ? Buffer.from(body) : body));
    expect(parsing).toThrow(
      expect.objectContaining({ code: 'source-not-json', message: expect.stringMatching(looks) }),
    );
    expect(parsing).toThrow(/\. Use JSON in UTF-8$/);
  });

  test.each<[value: unknown, looks: RegExp]>([
    [null, /`null`/],
    ['text', /a string/],
    [7, /a number/],
    [{}, /an empty object/],
    [{ error: 'not found', code: 404 }, /an object with `error`, `code`/],
    [{ servers: { a: {} } }, /an object with `servers`/],
    [{ servers: [], server: 1, metadata: 7 }, /an object with `servers`/],
    [{ server: { version: '1' } }, /an object with `server`/],
    [{ name: 'a', description: 'x' }, /an object with `name`, `description`/],
    [Object.fromEntries(Array.from({ length: 20 }, (_, key) => [`k${key}`, 1])), /`k7`, …/],
    [{ ['long'.repeat(100)]: 1 }, /^.{0,200}$/],
  ])('rejects %j as not a registry, and describes it', (value, looks) => {
    expect(() => parse(value)).toThrow(
      expect.objectContaining({
        code: 'source-not-a-registry',
        message: expect.stringMatching(looks),
      }),
    );
  });

  test.each([10_000, 1_000_000])(
    'rejects JSON that nests %i levels deep before parsing it',
    (levels) => {
      expect(() => parseBody(Buffer.from(nested(levels)))).toThrow(
        expect.objectContaining({ code: 'source-too-deep' }),
      );
      expect(() => parseBody(Buffer.from('['.repeat(levels)))).toThrow(
        expect.objectContaining({ code: 'source-too-deep' }),
      );
    },
  );

  test.each([
    ['many keys', `{${Array.from({ length: 200_001 }, (_, key) => `"${key}":1`).join()}}`],
    ['a long list beside the rows', `{"servers":[],"x":[${'[],'.repeat(500_000)}{}]}`],
    ['a long text', `{"servers":[],"x":"${'x'.repeat(2_000_000)}"}`],
  ])('rejects %s before parsing it', (_what, text) => {
    expect(() => parseBody(Buffer.from(text))).toThrow(
      expect.objectContaining({ code: 'source-envelope-too-large' }),
    );
  });

  test('reads the rows of a long list one at a time', () => {
    const { rowCount, readRows } = parseBody(Buffer.from(`[${'{},'.repeat(100)}[}]`));
    expect(rowCount).toBe(101);
    const [first] = readRows(1);
    expect(first).toMatchObject({ ok: false, label: 'row 1' });
    expect(() => [...readRows(1)]).toThrow(/invalid or truncated JSON in row 101/);
  });

  test.each<[what: string, text: string]>([
    ['a row', '[{"name":"a"},{"name":}]'],
    ['a skill', '{"data":{"servers":[],"skills":[{"name":}]}}'],
    ['a list that a later list replaces', '{"servers":[{"name":}],"servers":[]}'],
    ['an entry that a later entry replaces', '{"version":"1","servers":{"a":{x},"a":{}}}'],
    [
      'a list beside a server',
      '{"name":"a","version":"1","description":"x","data":{"skills":[x]}}',
    ],
  ])('rejects a body with invalid JSON in %s', (_what, text) => {
    expect(() => shown(parseBody(Buffer.from(text)))).toThrow(
      expect.objectContaining({ code: 'source-not-json' }),
    );
  });

  test('finds lists whose keys are written with escape sequences', () => {
    const text = JSON.stringify({ servers: [server] }).replace('servers', '\\u0073erver\\u0073');
    expect(shown(parseBody(Buffer.from(text)))).toMatchObject({ rows: [json] });
  });

  test('keeps the lists of a server as they are', () => {
    const groups = [{ servers: { a: 4 } }];
    const value = { ...server, servers: [1, { a: 2 }], data: { servers: 7, skills: [3] }, groups };
    const { rows } = parse({ ...value, metadata: 7 });
    expect(rows.map((row) => JSON.parse(row).server)).toEqual([{ ...value, metadata: 7 }]);
  });

  test('quarantines only the rows above the size limit, without parsing them', () => {
    const large = (key: string) => `{"name":"${key}","x":"${'x'.repeat(MAX_ROW_BYTES)}"}`;
    const reason = /^the row has \d+ bytes\. The limit is 262144\. It starts with \{.*"name":"big"/;
    const readings = (text: string) => [...parseBody(Buffer.from(text)).readRows(1)];
    expect(readings(`[${large('big')},${JSON.stringify(server)}]`)).toMatchObject([
      { ok: false, label: 'row 1', reason: expect.stringMatching(reason) },
      { ok: true },
    ]);
    expect(readings(`{"version":"1","servers":{"big":${large('big')}}}`)).toMatchObject([
      { label: 'io.github.stacklok/big@?', reason: expect.stringMatching(reason) },
    ]);
    expect(readings(large('big').replace('{', '{"version":"1",'))).toMatchObject([
      { label: 'big@1', reason: expect.stringMatching(reason) },
    ]);
  });

  test('describes text with many commas that is not JSON', () => {
    const expected = expect.objectContaining({ code: 'source-not-json' });
    expect(() => parseBody(Buffer.from('a,'.repeat(2_000_001)))).toThrow(expected);
  });

  test('describes text with many brackets that is not JSON', () => {
    expect(() => parseBody(Buffer.from(`<html>${'['.repeat(2_000)}`))).toThrow(/an HTML page/);
    const quoted = JSON.stringify([{ ...server, description: `"${'[{'.repeat(2_000)}` }]);
    expect(shown(parseBody(Buffer.from(quoted))).rows).toHaveLength(1);
  });

  test('rejects only the rows that nest too deep', () => {
    const row = (levels: number, name: string) =>
      `{"name":"${name}","version":"1","description":"x","deep":${nested(levels)}}`;
    const body = Buffer.from(`[${row(199, 'fits')},${row(200, 'deep')},${row(900, 'deeper')}]`);
    expect(shown(parseBody(body)).rows).toEqual([
      expect.stringContaining('"name":"fits"'),
      'deep@1: the row has more than 200 nested levels',
      'deeper@1: the row has more than 200 nested levels',
    ]);
  });

  test.each([
    ['1e400', false],
    ['-1E+400', false],
    ['9'.repeat(400), false],
    ['1e21', true],
    ['-0', true],
    ['1e-400', true],
  ])('keeps a row with the number %s: %s', (number, isKept) => {
    const text = `[{"name":"a","version":"1","description":"x","n":${number}}]`;
    const [row = ''] = shown(parseBody(Buffer.from(text))).rows;
    if (isKept) expect(JSON.parse(row).server.n).toBe(Number(number) + 0);
    else expect(row).toBe('a@1: the row has a number that is too large');
  });

  test('uses the last of duplicate keys', () => {
    const text = '[{"name":"a","name":"b","version":"1","description":"x"}]';
    expect(shown(parseBody(Buffer.from(text))).rows).toEqual([expect.stringContaining('"b"')]);
  });

  test('treats keys such as __proto__ and constructor like other keys', () => {
    const text = `{"__proto__":{"servers":[]},"constructor":1,"servers":[{"__proto__":{"name":"p"},"name":"a","version":"1","description":"x","constructor":{"prototype":{"x":1}}}]}`;
    const [row = ''] = shown(parseBody(Buffer.from(text))).rows;
    expect(row).toContain('"__proto__":{"name":"p"}');
    expect(row).toContain('"constructor":{"prototype":{"x":1}}');
    expect(Object.keys(Object.prototype)).toEqual([]);
    expect(() => parseBody(Buffer.from('{"__proto__":{"servers":[]}}'))).toThrow(/`__proto__`/);
  });

  test('begins an error with the name of the body, if it has one', () => {
    const origin = { name: 'servers/x.json' };
    expect(() => parseBody(Buffer.from('<html>'), origin)).toThrow(
      expect.objectContaining({
        code: 'source-not-json',
        message: expect.stringMatching(/^servers\/x\.json: the source returned an HTML page/),
      }),
    );
    expect(() => parseBody(Buffer.from('{}'), origin)).toThrow(/^servers\/x\.json: .*empty object/);
  });
});
