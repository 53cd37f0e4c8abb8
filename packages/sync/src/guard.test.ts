import { expect, test } from 'vitest';
import { checkGuard } from './guard.ts';

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
])('%s', (_why, rowCountBefore, rowCountAfter, verdict) => {
  const guard = { maxShrinkPercent: 20, allowEmpty: false };
  const { pass, ...rest } = checkGuard({ guard, rowCountBefore, rowCountAfter });
  expect(pass ? 'pass' : rest).toEqual(verdict === 'pass' ? 'pass' : { reason: verdict });
});

test('an empty state passes where that is allowed', () => {
  const guard = { maxShrinkPercent: 20, allowEmpty: true };
  expect(checkGuard({ guard, rowCountBefore: 100, rowCountAfter: 0 })).toEqual({ pass: true });
});

test('at 100 % any loss passes, but that of everything', () => {
  const guard = { maxShrinkPercent: 100, allowEmpty: false };
  expect(checkGuard({ guard, rowCountBefore: 100, rowCountAfter: 1 })).toEqual({ pass: true });
  expect(checkGuard({ guard, rowCountBefore: 100, rowCountAfter: 0 })).toMatchObject({
    pass: false,
  });
});
