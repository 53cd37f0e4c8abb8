import { describe, expect, test } from 'vitest';
import { parseYaml } from './parse-yaml.ts';

function parse(text: string | Uint8Array): unknown {
  return parseYaml(typeof text === 'string' ? Buffer.from(text) : text).value;
}

describe('parseYaml', () => {
  test('parses values as JSON does', () => {
    const text = `# a server
name: io.github.acme/x
version: "1.0"
since: 2026-01-01
on: yes
count: 7
ratio: 0.5
none: null
list: [a, true]
text: |
  two
  lines
1: a key that looks like a number
__proto__:
  x: 1
<<: {no: merging}
`;
    expect(JSON.stringify(parse(text))).toBe(
      JSON.stringify({
        '1': 'a key that looks like a number',
        name: 'io.github.acme/x',
        version: '1.0',
        since: '2026-01-01',
        on: 'yes',
        count: 7,
        ratio: 0.5,
        none: null,
        list: ['a', true],
        text: 'two\nlines\n',
        ['__proto__']: { x: 1 },
        '<<': { no: 'merging' },
      }),
    );
  });

  test('parses JSON, with a byte order mark too', () => {
    expect(parse('\ufeff{"servers": [{"name": "a"}]}')).toEqual({ servers: [{ name: 'a' }] });
  });

  test('reads a map of 80,000 keys', () => {
    const text = Array.from({ length: 80_000 }, (_, index) => `key-${index}: 1`).join('\n');
    expect(Object.keys(Object(parse(text)))).toHaveLength(80_000);
  });

  test('accepts aliases of anchors', () => {
    expect(parse('a: &x [1]\nb: *x')).toEqual({ a: [1], b: [1] });
  });

  test.each<[what: string, text: string | Uint8Array, reason: RegExp]>([
    ['a duplicate key', 'a: 1\na: 2', /the key a appears twice, at line 2/],
    [
      'a duplicate key in a map of a list',
      '- a: 1\n- {b: 1, b: 2}',
      /the key b appears twice, at line 2/,
    ],
    ['a tag', 'a: !ruby/object x', /Unresolved tag/],
    ['a tag of YAML that JSON does not have', 'a: !!binary aGk=', /Unresolved tag/],
    ['two documents', 'a: 1\n---\nb: 1', /multiple documents/],
    ['a list as a key', '? [a]\n: 1', /keys must be strings/],
    ['a text that is cut off', 'a: {b: 1', /YAML that is invalid/],
    ['aliases that expand too far', explodingAnchors(), /[Ee]xcessive alias count/],
    ['text in Latin-1', Buffer.from('a: caf\u00e9', 'latin1'), /not valid UTF-8/],
    ['text in UTF-16', Buffer.from('a: 1', 'utf16le'), /text in UTF-16/],
  ])('rejects %s', (_what, text, reason) => {
    expect(() => parse(text)).toThrow(
      expect.objectContaining({
        code: 'source-not-json',
        message: expect.stringMatching(reason),
      }),
    );
  });

  test.each([
    ['lists in lists', '['.repeat(100_000)],
    ['block lists in lists', '- '.repeat(100_000)],
    ['maps in maps', '{a: '.repeat(50_000)],
  ])('rejects %s that nest too deeply', (_what, text) => {
    expect(() => parse(text)).toThrow(expect.objectContaining({ code: 'source-too-deep' }));
  });

  test.each([
    ['bytes', '#'.repeat(8 * 1024 * 1024 + 1)],
    ['tokens', '- a\n'.repeat(250_000)],
    ['empty lists', `[${'[],'.repeat(500_000)}]`],
  ])('rejects a file with too many %s', (_what, text) => {
    expect(() => parse(text)).toThrow(expect.objectContaining({ code: 'source-yaml-too-large' }));
  });

  test('rejects a file with too many aliases', () => {
    const anchors = Array.from({ length: 20_000 }, (_, index) => `- &a${index} x\n- *a${index}\n`);
    expect(() => parse(anchors.slice(0, 1_000).join(''))).not.toThrow();
    expect(() => parse(anchors.join(''))).toThrow(/it has more than 1000 aliases/);
  });
});

/** Nine lists, each of nine times the one before. */
function explodingAnchors(): string {
  const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x]'];
  for (let index = 1; index < 9; index += 1) {
    const uses = Array.from({ length: 9 }, () => `*a${index - 1}`).join(', ');
    lines.push(`a${index}: &a${index} [${uses}]`);
  }
  return lines.join('\n');
}
