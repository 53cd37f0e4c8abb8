import { expect, test } from 'vitest';
import { formatAge, formatSince, formatTook, formatUntil } from './age.ts';

test.each([
  [-1, '0s'],
  [999, '0s'],
  [119_999, '119s'],
  [120_000, '2m'],
  [7_199_999, '119m'],
  [7_200_000, '2h'],
  [172_799_999, '47h'],
  [172_800_000, '2d'],
])('an age of %d ms is %s', (ageMs, text) => {
  expect(formatAge(ageMs)).toBe(text);
});

const NOW = '2026-08-01T12:00:00.000Z';
const NOW_MS = Date.parse(NOW);

test('a missing time is shown as never', () => {
  expect(formatSince(undefined, NOW_MS)).toBe('never');
  expect(formatSince('2026-08-01T11:59:00Z', NOW_MS)).toBe('60s');
});

test.each([
  [undefined, ''],
  ['2026-08-01T11:00:00Z', 'now'],
  ['2026-08-01T12:00:00.900Z', 'now'],
  ['2026-08-01T12:00:05Z', 'in 5s'],
  ['2026-08-01T13:00:00Z', 'in 60m'],
])('a future time: %s is "%s"', (timestamp, text) => {
  expect(formatUntil(timestamp, NOW_MS)).toBe(text);
});

test.each([
  [0, '0ms'],
  [999, '999ms'],
  [1_250, '1.3s'],
  [252_000, '4m12s'],
  [119_700, '2m00s'],
])('a duration of %d ms is %s', (durationMs, text) => {
  expect(formatTook(durationMs)).toBe(text);
});
