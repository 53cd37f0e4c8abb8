import { expect, test } from 'vitest';
import { formatTable } from './table.ts';
import { plain } from './text.ts';
import { cut, widthOf } from './width.ts';

test('wide characters take two columns, and colour codes none', () => {
  expect(widthOf('ab官方👍🏽')).toBe(8);
  expect(widthOf('\u001b[31mred\u001b[39m')).toBe(3);
});

test.each([
  ['abc', 3, 'abc'],
  ['abcd', 3, 'ab…'],
  ['官方方', 4, '官…'],
  ['a👩‍👩‍👧b', 3, 'a…'],
  ['abc', 0, ''],
])('%s within %d columns is %s', (text, width, expected) => {
  expect(cut(text, width)).toBe(expected);
});

test('a table of wide characters stays within its width', () => {
  const columns = [
    { head: 'NAME', cell: ({ name }: { name: string }) => name },
    { head: 'REASON', cell: ({ reason }: { reason: string }) => reason },
  ];
  const rows = [
    { name: '官方', reason: '无'.repeat(30) },
    { name: 'b', reason: 'short' },
  ];
  const lines = formatTable(columns, rows, { width: 30 }).split('\n');
  expect(lines).toEqual([
    'NAME  REASON',
    `官方  ${'无'.repeat(12)}`,
    `      ${'无'.repeat(12)}`,
    `      ${'无'.repeat(6)}`,
    'b     short',
  ]);
});

test.each([
  ['\u001b[2J', ' [2J'],
  ['a\u009b31mb', 'a 31mb'],
  ['safe\u202egpj.exe', 'safe gpj.exe'],
  ['one\u2028two\r\nthree', 'one two three'],
])('text of upstreams cannot control the terminal: %j', (text, expected) => {
  expect(plain(text)).toBe(expected);
});
