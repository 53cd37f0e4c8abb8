import { expect, test } from 'vitest';
import { judge, type Series } from './series.ts';

const series = (values: readonly number[], more: Partial<Series> = {}): Series => ({
  what: 'memory',
  unit: 'MB',
  values,
  floor: 10,
  ...more,
});

test('a quantity that grows in the first slices only is flat', () => {
  expect(judge(series([100, 150, 200, 201, 199, 200, 202, 205, 203, 204]))).toBe('flat');
});

test('a quantity that takes a few more slices to settle is flat', () => {
  expect(judge(series([182, 195, 219, 158, 213, 241, 246, 248, 248, 248]))).toBe('flat');
});

test('a quantity that grows by more than the tolerance is growing', () => {
  expect(judge(series([100, 110, 120, 130, 140, 150, 160, 170, 180, 190]))).toBe('growing');
});

test('a tiny quantity is flat even if it grows by a large share', () => {
  expect(judge(series([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]))).toBe('flat');
});

test('a single outlier is ignored', () => {
  expect(judge(series([100, 100, 100, 100, 100, 100, 100, 100, 900, 100]))).toBe('flat');
});

test('a process killed after the first slices is not judged, and one killed during them is', () => {
  const values = [900, 100, 100, 100, 100, 100, 100, 900, 900, 900];
  const killedLate = [1, 1, 1, 1, 1, 1, 1, 2, 2, 2];
  const killedEarly = [1, 2, 2, 2, 2, 2, 2, 2, 2, 2];
  expect(judge(series(values, { lives: killedLate }))).toBe('not judged');
  expect(judge(series(values, { lives: killedEarly }))).toBe('growing');
});

test('a soak that ended early is not judged', () => {
  expect(judge(series([100, 200, 300, 400]))).toBe('not judged');
});
