import { describe, expect, test } from 'vitest';
import { cronProblem, lastFiringMs, nextFiringMs } from './cron.ts';

const berlin = (pattern: string) => ({ pattern, timezone: 'Europe/Berlin' });
const utc = (pattern: string) => ({ pattern, timezone: 'UTC' });
const iso = (ms: number) => new Date(ms).toISOString();

/** Returns several firings in a row, as instants. */
function firings(schedule: ReturnType<typeof utc>, from: string, count: number): string[] {
  const times: string[] = [];
  let atMs = Date.parse(from);
  while (times.length < count) {
    atMs = nextFiringMs(schedule, atMs);
    times.push(iso(atMs));
  }
  return times;
}

describe('a cron pattern', () => {
  test.each([
    '0 6 * * 1-5',
    '*/10 * * * * *',
    '0 0 29 2 *',
    '0 0 L * *',
    '0 0 * * 5#3',
    '1,5 * * JAN THU',
  ])('%s is valid', (pattern) => {
    expect(cronProblem(utc(pattern))).toBeUndefined();
  });

  test.each([
    ['0 0 30 2 *', /no day ever matches/],
    ['0 0 31 4,6 *', /no day ever matches/],
    ['60 * * * *', /^the cron pattern is invalid: Constraint error, got value 60/],
    ['* * *', /^use a cron pattern with five fields/],
    ['* * * * * * *', /^use a cron pattern with five fields/],
    ['@daily', /^use a cron pattern with five fields/],
    // Each process would pick its own value for `H`.
    ['H H * * *', /^use a cron pattern with five fields/],
    ['H(0-5) * * * *', /^use a cron pattern with five fields/],
    ['every day at noon sharp', /^the cron pattern is invalid: /],
  ])('%s is rejected', (pattern, problem) => {
    expect(cronProblem(utc(pattern))).toMatch(problem);
  });
});

describe('firings', () => {
  test('follow the time zone of the schedule', () => {
    expect(firings(berlin('0 6 * * *'), '2026-07-01T00:00:00Z', 1)).toEqual([
      '2026-07-01T04:00:00.000Z',
    ]);
    expect(firings(berlin('0 6 * * *'), '2026-12-01T00:00:00Z', 1)).toEqual([
      '2026-12-01T05:00:00.000Z',
    ]);
  });

  test('in the hour that summer time skips come once, after that hour', () => {
    expect(firings(berlin('30 2 * * *'), '2026-03-27T12:00:00Z', 3)).toEqual([
      '2026-03-28T01:30:00.000Z',
      '2026-03-29T01:30:00.000Z',
      '2026-03-30T00:30:00.000Z',
    ]);
  });

  test('in the hour that repeats in autumn come once, unless the pattern is hourly', () => {
    expect(firings(berlin('30 2 * * *'), '2026-10-24T12:00:00Z', 2)).toEqual([
      '2026-10-25T00:30:00.000Z',
      '2026-10-26T01:30:00.000Z',
    ]);
    expect(firings(berlin('0 * * * *'), '2026-10-24T23:30:00Z', 3)).toEqual([
      '2026-10-25T00:00:00.000Z',
      '2026-10-25T01:00:00.000Z',
      '2026-10-25T02:00:00.000Z',
    ]);
  });

  test('at the given moment count as past, not as next', () => {
    const noon = Date.parse('2026-02-01T12:00:00Z');
    expect(iso(lastFiringMs(utc('0 12 * * *'), noon))).toBe('2026-02-01T12:00:00.000Z');
    expect(iso(lastFiringMs(utc('0 12 * * *'), noon - 1))).toBe('2026-01-31T12:00:00.000Z');
    expect(iso(nextFiringMs(utc('0 12 * * *'), noon))).toBe('2026-02-02T12:00:00.000Z');
  });
});
