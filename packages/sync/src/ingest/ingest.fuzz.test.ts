import { SynclineError } from '@syncline/contract';
import { FUZZ, jsonValues, mutated, nearRows } from '@syncline/contract/testing';
import { type BodyOrigin, readRow, SYNCLINE_META } from '@syncline/rows';
import { parseBody } from '@syncline/rows/parse';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

const server = { name: 'a', version: '1', description: 'x' };

/** Reads a body to its end. Returns the code of a source error; throws any other error. */
function readBody(body: Uint8Array, origin: BodyOrigin = {}): string[] {
  try {
    return [...parseBody(body, origin).readRows(1)].map((it) => (it.ok ? it.row.json : it.reason));
  } catch (error) {
    if (error instanceof SynclineError && error.code.startsWith('source-')) return [error.code];
    throw error;
  }
}

describe('readRow', () => {
  test('accepts or rejects any JSON value, and never throws', () => {
    fc.assert(
      fc.property(fc.oneof(jsonValues, nearRows), (candidate) => {
        const reading = readRow(candidate, 1);
        if (!reading.ok) expect(reading.reason).not.toBe('');
      }),
      {
        ...FUZZ,
        examples: [[null], [{ server: null }], [JSON.parse('{"__proto__":{"name":"a"}}')]],
      },
    );
  });

  test('keeps an accepted row unchanged', () => {
    fc.assert(
      fc.property(nearRows, (candidate) => {
        const reading = readRow(candidate, 1);
        if (!reading.ok) return;
        const kept = JSON.parse(reading.row.json);
        const { server, _meta, ...more } =
          'server' in candidate
            ? (JSON.parse(JSON.stringify(candidate)) as Record<string, unknown>)
            : { server: JSON.parse(JSON.stringify(candidate)), _meta: {} };
        expect(JSON.stringify(kept.server)).toBe(JSON.stringify(server));
        const { [SYNCLINE_META]: _ours, ...theirs } = { ...Object(_meta) };
        expect(kept).toEqual({ ...more, server, _meta: theirs });
        // A second read gives the same row.
        expect(readRow(kept, 1)).toMatchObject({ ok: true, row: reading.row });
      }),
      { ...FUZZ, examples: [[{ ...server, _meta: { '': -0 } }]] },
    );
  });
});

describe('parseBody', () => {
  const real = Buffer.from(
    JSON.stringify({
      version: '1.0.0',
      servers: { x: { image: 'acme/x:1.0.0', description: 'é', env_vars: [{ name: 'A' }] } },
      remote_servers: { y: { url: 'https://y.example', description: 'y' } },
    }),
  );
  const list = Buffer.from(
    JSON.stringify({
      servers: [{ server: { name: 'a', version: '1', description: 'é' }, _meta: {} }],
      metadata: { nextCursor: 'x' },
    }),
  );
  const yaml = Buffer.from(
    '- name: &n a\n  version: "1"\n  description: |\n    two\n    lines\n  x: *n\n',
  );

  test('throws only documented errors for any bytes', () => {
    const bodies = fc.oneof(
      fc.uint8Array({ maxLength: 64 }),
      jsonValues.map((value) => Buffer.from(JSON.stringify(value))),
      fc.array(nearRows, { maxLength: 3 }).map((rows) => Buffer.from(JSON.stringify(rows))),
      mutated(list),
      mutated(real),
    );
    fc.assert(
      fc.property(bodies, (body) => void readBody(body)),
      FUZZ,
    );
  });

  test('throws only documented errors for any YAML', () => {
    const bodies = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 64 }).map((text) => Buffer.from(text)),
      fc
        .array(
          fc.constantFrom(
            'a',
            ': ',
            '- ',
            '\n',
            '  ',
            '[',
            ']',
            '{',
            '}',
            '&a ',
            '*a',
            '!!',
            '|',
            '>',
            '"',
            "'",
            '#',
            '? ',
            '---',
            '1',
            '<<',
            ',',
          ),
          { maxLength: 30 },
        )
        .map((tokens) => Buffer.from(tokens.join(''))),
      mutated(yaml),
      jsonValues.map((value) => Buffer.from(JSON.stringify(value))),
    );
    fc.assert(
      fc.property(bodies, (body) => void readBody(body, { name: 'x.yaml', syntax: 'yaml' })),
      {
        ...FUZZ,
        examples: [
          [Buffer.from('- &a\n  server: *a\n')],
          [Buffer.from('data: &a\n  skills: [*a]\n')],
        ],
      },
    );
  });

  test('reads the same rows from JSON, whether it is parsed as JSON or as YAML', () => {
    fc.assert(
      fc.property(fc.array(nearRows, { minLength: 1, maxLength: 3 }), (rows) => {
        const body = () => Buffer.from(JSON.stringify(rows));
        const asYaml = readBody(body(), { syntax: 'yaml' });
        // YAML has no lone surrogates, and rejects more than JSON does.
        if (asYaml[0]?.startsWith('source-') !== true) expect(asYaml).toEqual(readBody(body()));
      }),
      FUZZ,
    );
  });
});
