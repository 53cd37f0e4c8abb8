import { describe, expect, test } from 'vitest';
import { MAX_NAME_BYTES, MAX_ROW_BYTES } from './limits.ts';
import { OFFICIAL_META, SYNCLINE_META } from './row.ts';
import { readRow } from './row-codec.ts';

const server = { name: 'io.github.acme/x', version: '1.0.0', description: 'does things' };

function accepted(candidate: unknown) {
  const reading = readRow(candidate, 1);
  if (!reading.ok) throw new Error(`${reading.label}: ${reading.reason}`);
  return reading.row;
}

describe('readRow', () => {
  test('reads a bare server and a wrapped server as the same row', () => {
    expect(accepted(server)).toEqual(accepted({ server, _meta: {} }));
    expect(accepted({ server }).json).toBe(accepted({ server, _meta: null }).json);
  });

  test('reads the block of the official registry', () => {
    const official = {
      status: 'deprecated',
      publishedAt: '2026-01-01T00:00:00+02:00',
      isLatest: false,
    };
    expect(accepted({ server, _meta: { [OFFICIAL_META]: official } })).toMatchObject({
      name: server.name,
      version: '1.0.0',
      status: 'deprecated',
      publishedAt: '2026-01-01T00:00:00+02:00',
      isLatest: false,
    });
    expect(accepted(server)).toMatchObject({
      status: 'active',
      publishedAt: undefined,
      isLatest: undefined,
    });
  });

  test('keeps all other fields unchanged, whatever their names', () => {
    const json = `{"future":{"a":[1,null]},"server":{"__proto__":{"x":1},"name":"a","version":"1","description":"x","n":1e21,"empty":{}},"_meta":{"a/b":{"constructor":1}}}`;
    expect(accepted(JSON.parse(json)).json).toBe(JSON.stringify(JSON.parse(json)));
    expect(accepted(JSON.parse(json)).json).toContain('__proto__');
  });

  test('removes the _meta block of an upstream Syncline', () => {
    const _meta = { [SYNCLINE_META]: { source: 'x', checkedAt: '2026-01-01' }, other: 1 };
    expect(JSON.parse(accepted({ server, _meta }).json)).toEqual({ server, _meta: { other: 1 } });
  });

  test.each<[why: string, candidate: unknown, reason: RegExp, label: string]>([
    ['a value that is not an object', 7, /the row does not describe a server/, 'row 17'],
    ['null', null, /the row does not describe a server/, 'row 17'],
    ['a wrapper around nothing', { server: null }, /the row does not describe a server/, 'row 17'],
    ['no name', { ...server, name: undefined }, /server\.name is missing/, 'row 17'],
    ['an empty name', { ...server, name: '' }, /server\.name is empty/, '@1.0.0'],
    [
      'a name that is not a string',
      { ...server, name: 7 },
      /server\.name is missing or is not a string/,
      'row 17',
    ],
    [
      'no version',
      { ...server, version: undefined },
      /server\.version is missing/,
      'io.github.acme/x@?',
    ],
    [
      'no description',
      { ...server, description: undefined },
      /description is missing/,
      'io.github.acme/x@1.0.0',
    ],
    [
      'an empty description',
      { ...server, description: '' },
      /description is empty/,
      'io.github.acme/x@1.0.0',
    ],
    [
      'a very long name',
      { ...server, name: 'n'.repeat(MAX_NAME_BYTES + 1) },
      /more than 600 bytes/,
      'n'.repeat(200),
    ],
    ['a NUL in the name', { ...server, name: 'a\0b' }, /control characters/, 'a\0b@1.0.0'],
    [
      'a line break in the version',
      { ...server, version: '1\n' },
      /control characters/,
      'io.github.acme/x@1\n',
    ],
    ['broken Unicode', { ...server, name: 'a\ud800' }, /invalid Unicode/, 'a\ufffd@1.0.0'],
    [
      'a _meta that is not an object',
      { server, _meta: 'x' },
      /_meta is not an object/,
      'io.github.acme/x@1.0.0',
    ],
    [
      'a server _meta that is not an object',
      { ...server, _meta: [] },
      /server\._meta is not an object/,
      'io.github.acme/x@1.0.0',
    ],
    [
      'an unknown status',
      { server, _meta: { [OFFICIAL_META]: { status: 'gone' } } },
      /status: Invalid/,
      'io.github.acme/x@1.0.0',
    ],
    [
      'an invalid time',
      { server, _meta: { [OFFICIAL_META]: { publishedAt: 'yesterday' } } },
      /publishedAt: Invalid/,
      'io.github.acme/x@1.0.0',
    ],
    [
      'a row above the size limit',
      { ...server, blob: 'é'.repeat(MAX_ROW_BYTES / 2) },
      /^the row has 262\d+ bytes\. The limit is 262144/,
      'io.github.acme/x@1.0.0',
    ],
    [
      'a row whose numbers need more bytes than in its source',
      { ...server, numbers: Array(MAX_ROW_BYTES / 16).fill(1e20) },
      /^the row has 360\d+ bytes\. The limit is 262144/,
      'io.github.acme/x@1.0.0',
    ],
    [
      'a name above the size limit',
      { ...server, name: 'é'.repeat(MAX_NAME_BYTES / 2 + 1) },
      /^server\.name has more than 600 bytes$/,
      `${'é'.repeat(200)}`,
    ],
  ])('quarantines %s with the reason', (_why, candidate, reason, label) => {
    expect(readRow(candidate, 17)).toEqual({
      ok: false,
      label,
      reason: expect.stringMatching(reason),
    });
  });
});
