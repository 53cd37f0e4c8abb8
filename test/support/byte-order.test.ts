import { expect, test } from 'vitest';
import { compareBytes } from './byte-order.ts';

test('compareBytes orders text as Buffer.compare does', () => {
  const texts = [
    '',
    'a',
    'a-b/c',
    'a.b/c',
    'a/b',
    'B',
    '1.0.1º',
    '1.0.10',
    '\u{1f600}',
    '\ufb01',
    'é',
    'z',
  ];
  for (const left of texts) {
    for (const right of texts) {
      const expected = Buffer.compare(Buffer.from(left), Buffer.from(right));
      expect(Math.sign(compareBytes(left, right)), `${left} against ${right}`).toBe(expected);
    }
  }
});
