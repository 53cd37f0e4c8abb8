import { expect, test } from 'vitest';
import { checkGuard, type StateSize } from './store-built.ts';

/** A state that the filter does not reduce. */
function whole(rowCount: number): StateSize {
  return { rowCount, sourceRowCount: rowCount };
}

function judge(
  guard: Parameters<typeof checkGuard>[0]['guard'],
  { before, after }: { before: number | undefined; after: number },
) {
  return checkGuard({
    guard,
    before: before === undefined ? undefined : whole(before),
    after: whole(after),
    isFilterNew: false,
  });
}

test.each<[why: string, before: number | undefined, after: number, verdict: string]>([
  ['a first state', undefined, 5, 'pass'],
  ['growth', 100, 500, 'pass'],
  ['the same number', 100, 100, 'pass'],
  ['a loss of just the limit', 100, 80, 'pass'],
  ['a loss of more', 100, 79, 'shrink'],
  ['a loss of everything', 100, 0, 'empty'],
  ['a first state without rows', undefined, 0, 'empty'],
  ['what was empty and stays so', 0, 0, 'pass'],
  ['what was empty and is not any more', 0, 5, 'pass'],
  ['a small registry that loses one of three', 3, 2, 'shrink'],
])('%s', (_why, before, after, verdict) => {
  const guard = { maxShrinkPercent: 20, allowEmpty: false };
  expect(judge(guard, { before, after })).toBe(verdict);
});

test('an empty state passes if that is allowed', () => {
  const guard = { maxShrinkPercent: 20, allowEmpty: true };
  expect(judge(guard, { before: 100, after: 0 })).toBe('pass');
});

test('at 100 % any loss passes, but that of everything', () => {
  const guard = { maxShrinkPercent: 100, allowEmpty: false };
  expect(judge(guard, { before: 100, after: 1 })).toBe('pass');
  expect(judge(guard, { before: 100, after: 0 })).toBe('empty');
});

test('what a new filter takes away is wanted; what the source has lost is not', () => {
  const guard = { maxShrinkPercent: 20, allowEmpty: false };
  const before = whole(100);
  const isFilterNew = true;
  const filtered = { rowCount: 3, sourceRowCount: 100 };
  expect(checkGuard({ guard, before, after: filtered, isFilterNew })).toBe('pass');
  expect(checkGuard({ guard, before, after: filtered, isFilterNew: false })).toBe('shrink');
  const lost = { rowCount: 3, sourceRowCount: 10 };
  expect(checkGuard({ guard, before, after: lost, isFilterNew })).toBe('shrink');
});

test('a filter that leaves nothing is taken for a mistake', () => {
  const guard = { maxShrinkPercent: 20, allowEmpty: false };
  const after = { rowCount: 0, sourceRowCount: 100 };
  const verdict = checkGuard({ guard, before: whole(100), after, isFilterNew: true });
  expect(verdict).toBe('empty');
});
