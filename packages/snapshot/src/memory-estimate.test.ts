import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { estimateRowMemory } from './memory-estimate.ts';

const list = (item: string, count: number) => `[${Array(count).fill(item).join(',')}]`;
const COPIES = 8;

setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');

/** Returns the memory that one parsed copy of a text takes. */
function heapOf(json: string): number {
  collectGarbage();
  const before = process.memoryUsage().heapUsed;
  const copies = Array.from({ length: COPIES }, () => JSON.parse(json) as unknown);
  collectGarbage();
  const after = process.memoryUsage().heapUsed;
  expect(copies).toHaveLength(COPIES);
  return (after - before) / COPIES;
}

describe('the estimate is not far below the measured memory', () => {
  test.each([
    ['long texts', JSON.stringify({ text: 'x'.repeat(200_000) })],
    ['empty objects', list('{}', 50_000)],
    ['empty lists', list('[]', 50_000)],
    ['numbers', list('1', 90_000)],
    ['nested objects', list('{"a":{"b":[{}]}}', 10_000)],
    [
      'many members',
      JSON.stringify(Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [`k${i}`, 1]))),
    ],
  ])('of %s', (_what, json) => {
    expect(estimateRowMemory(Buffer.from(json), 1)).toBeGreaterThan(heapOf(json) * 0.8);
  });
});
