import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { parseBody } from './parse-body.ts';

const server = { name: 'a', version: '1', description: 'x' };

function parse(value: unknown) {
  return parseBody(Buffer.from(JSON.stringify(value)));
}

describe('parseBody', () => {
  test('a list as the MCP Registry API serves it', () => {
    const rows = [{ server, _meta: {} }];
    expect(parse({ servers: rows, metadata: { count: 1 } })).toEqual({
      format: 'registry-list',
      rows,
      nextCursor: undefined,
      skillCount: 0,
      pluginCount: 0,
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
  ])('metadata %j goes on at %s', (metadata, cursor) => {
    expect(parse({ servers: [], metadata }).nextCursor).toBe(cursor);
  });

  test('a list without rows may be null', () => {
    expect(parse({ servers: null, metadata: {} })).toMatchObject({ rows: [] });
  });

  test('an upstream registry, with skills and plugins counted', () => {
    const data = { servers: [server], skills: [{}, {}], plugins: [{}] };
    expect(parse({ $schema: 'x', version: '1.0.0', meta: {}, data })).toMatchObject({
      format: 'upstream-registry',
      rows: [server],
      skillCount: 2,
      pluginCount: 1,
    });
    expect(parse({ data: { skills: [] } })).toMatchObject({ rows: [] });
  });

  test('a bare array', () => {
    expect(parse([server])).toMatchObject({ format: 'server-array', rows: [server] });
    expect(parse([])).toMatchObject({ rows: [] });
  });

  test('a byte order mark is no harm', () => {
    expect(parseBody(Buffer.from('\ufeff[]'))).toMatchObject({ format: 'server-array' });
  });

  test.each<[body: string | Uint8Array, looks: RegExp]>([
    ['', /an empty body/],
    [' \n', /an empty body/],
    ['<!DOCTYPE html><p>Sign in', /an HTML page/],
    ['\n<HTML>', /an HTML page/],
    ['<?xml version="1.0"?>', /XML/],
    ['{"servers": [', /JSON that is broken or cut off/],
    ['[1, 2', /broken or cut off/],
    ['version: 1', /text that is no JSON, beginning with "version: 1"/],
    [gzipSync('[]'), /gzip data/],
    [Buffer.from('\ufeff[]', 'utf16le'), /text in UTF-16/],
    [Uint8Array.of(0xc3, 0x28), /2 bytes that are no UTF-8/],
  ])('%j is not JSON, and says what it looks like', (body, looks) => {
    const parsing = () => parseBody(typeof body === 'string' ? Buffer.from(body) : body);
    expect(parsing).toThrow(
      expect.objectContaining({ code: 'source-not-json', message: expect.stringMatching(looks) }),
    );
    expect(parsing).toThrow(/expected JSON in UTF-8/);
  });

  test.each<[value: unknown, looks: RegExp]>([
    [null, /`null`/],
    ['text', /a string/],
    [7, /a number/],
    [{}, /an empty object/],
    [{ error: 'not found', code: 404 }, /an object with `error`, `code`/],
    [{ servers: { a: {} } }, /an object with `servers`/],
    [Object.fromEntries(Array.from({ length: 20 }, (_, key) => [`k${key}`, 1])), /`k7`, …/],
    [{ ['long'.repeat(100)]: 1 }, /^.{0,200}$/],
  ])('%j is no registry, and says what it is', (value, looks) => {
    expect(() => parse(value)).toThrow(
      expect.objectContaining({
        code: 'source-not-a-registry',
        message: expect.stringMatching(looks),
      }),
    );
  });
});
