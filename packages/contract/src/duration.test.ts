import { describe, expect, test } from 'vitest';
import { durationSchema } from './config/duration.ts';
import { formatDuration, parseDuration } from './duration.ts';

describe('parseDuration', () => {
  test.each([
    ['0s', 0],
    ['1ms', 1],
    ['90s', 90_000],
    ['1h30m', 5_400_000],
    ['1.5h', 5_400_000],
    ['7d', 604_800_000],
    ['1d2h3m4s5ms', 93_784_005],
    ['0.5ms', 1],
    ['1m1m', 120_000],
  ])('%s is %i ms', (text, durationMs) => {
    expect(parseDuration(text)).toBe(durationMs);
  });

  test.each([
    '',
    '5',
    's',
    '-5s',
    '+5s',
    '5 s',
    '5S',
    '1w',
    '1h-5m',
    '.5h',
    '1.h',
    '5s ',
    '1e3s',
    `${'9'.repeat(30)}d`,
  ])('%j is not a duration', (text) => {
    expect(parseDuration(text)).toBeUndefined();
  });
});

describe('formatDuration', () => {
  test.each([
    [0, '0s'],
    [1, '1ms'],
    [1_000, '1s'],
    [5_400_000, '1h30m'],
    [86_400_000, '1d'],
    [90_061_001, '1d1h1m1s1ms'],
  ])('%i ms is %s', (durationMs, text) => {
    expect(formatDuration(durationMs)).toBe(text);
    expect(parseDuration(text)).toBe(durationMs);
  });
});

describe('durationSchema', () => {
  const schema = durationSchema({ leastMs: 1_000 });

  test('turns text into milliseconds', () => {
    expect(schema.parse('90s')).toBe(90_000);
    expect(schema.parse('1s')).toBe(1_000);
  });

  test('describes the problem of an invalid duration', () => {
    const problem = (value: unknown) => schema.safeParse(value).error?.issues[0]?.message;
    expect(problem('soon')).toBe('use a duration such as 30s, 1h30m or 7d');
    expect(problem('999ms')).toBe('use a duration of at least 1s');
    expect(problem(90)).toMatch(/string/);
  });
});
