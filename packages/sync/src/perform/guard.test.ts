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
  ['a first state with rows passes', undefined, 5, 'pass'],
  ['a state with more rows passes', 100, 500, 'pass'],
  ['a state with the same number of rows passes', 100, 100, 'pass'],
  ['a loss of exactly the limit passes', 100, 80, 'pass'],
  ['a loss above the limit is held as shrink', 100, 79, 'shrink'],
  ['a loss of all rows is held as empty', 100, 0, 'empty'],
  ['a first state without rows is held as empty', undefined, 0, 'empty'],
  ['an empty registry that stays empty passes', 0, 0, 'pass'],
  ['an empty registry that gets rows passes', 0, 5, 'pass'],
  ['a registry that loses one of three rows is held as shrink', 3, 2, 'shrink'],
])('%s', (_why, before, after, verdict) => {
  const guard = { maxShrinkPercent: 20, allowEmpty: false };
  expect(judge(guard, { before, after })).toBe(verdict);
});

test('an empty state passes if allowEmpty is set', () => {
  const guard = { maxShrinkPercent: 20, allowEmpty: true };
  expect(judge(guard, { before: 100, after: 0 })).toBe('pass');
});

test('with maxShrinkPercent 100, any loss passes except the loss of all rows', () => {
  const guard = { maxShrinkPercent: 100, allowEmpty: false };
  expect(judge(guard, { before: 100, after: 1 })).toBe('pass');
  expect(judge(guard, { before: 100, after: 0 })).toBe('empty');
});

test('rows that a new filter removes are no loss, but rows that the source lost are', () => {
  const guard = { maxShrinkPercent: 20, allowEmpty: false };
  const before = whole(100);
  const isFilterNew = true;
  const filtered = { rowCount: 3, sourceRowCount: 100 };
  expect(checkGuard({ guard, before, after: filtered, isFilterNew })).toBe('pass');
  expect(checkGuard({ guard, before, after: filtered, isFilterNew: false })).toBe('shrink');
  const lost = { rowCount: 3, sourceRowCount: 10 };
  expect(checkGuard({ guard, before, after: lost, isFilterNew })).toBe('shrink');
});

test('a filter that removes all rows is held as empty', () => {
  const guard = { maxShrinkPercent: 20, allowEmpty: false };
  const after = { rowCount: 0, sourceRowCount: 100 };
  const verdict = checkGuard({ guard, before: whole(100), after, isFilterNew: true });
  expect(verdict).toBe('empty');
});
