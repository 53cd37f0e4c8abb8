import { registryConfig } from '@syncline/contract/testing';
import { describe, expect, test } from 'vitest';
import { backoffMs, longestBackoffMs, longestWaitAfterDeathsMs } from './backoff.ts';

const HOUR_MS = 3_600_000;

function delay(options: Partial<Parameters<typeof backoffMs>[0]>): number {
  const { retryAfterMs, ...rest } = options;
  return backoffMs({
    consecutiveFailures: 1,
    intervalMs: HOUR_MS,
    random: 0,
    ...rest,
    retryAfterMs,
  });
}

/** Returns when a registry that keeps failing is retried, counted from its first failure. */
function tries(options: { intervalMs: number; random: number; untilMs: number }): number[] {
  const times: number[] = [];
  let atMs = 0;
  for (let consecutiveFailures = 1; ; consecutiveFailures += 1) {
    atMs += delay({ ...options, consecutiveFailures });
    if (atMs > options.untilMs) return times;
    times.push(atMs);
  }
}

describe('backoffMs', () => {
  test('the first retry comes after 5 seconds, and each further wait doubles', () => {
    expect([1, 2, 3, 4].map((consecutiveFailures) => delay({ consecutiveFailures }))).toEqual([
      5_000, 10_000, 20_000, 40_000,
    ]);
  });

  test('no wait is longer than the interval', () => {
    expect(delay({ consecutiveFailures: 40 })).toBe(HOUR_MS);
    expect(delay({ consecutiveFailures: 1_000_000 })).toBe(HOUR_MS);
    expect(delay({ consecutiveFailures: 1, intervalMs: 1_000 })).toBe(1_000);
  });

  test('random jitter spreads the retries of registries that failed together', () => {
    expect(delay({ random: 0.999 })).toBe(4_001);
    expect(delay({ random: 0 })).toBe(5_000);
  });

  test('Retry-After is honoured, even beyond the interval', () => {
    expect(delay({ retryAfterMs: 60_000 })).toBe(60_000);
    expect(delay({ retryAfterMs: 5 * HOUR_MS })).toBe(5 * HOUR_MS);
    expect(delay({ retryAfterMs: 1 })).toBe(5_000);
  });

  test.each([5_000, 30_000, 60_000, 300_000, HOUR_MS, 24 * HOUR_MS])(
    'after the first 90 seconds, there are at most two retries per interval of %i ms',
    (intervalMs) => {
      for (const random of [0, 0.5, 0.999]) {
        const times = tries({ intervalMs, random, untilMs: 90_000 + 20 * intervalMs });
        const later = times.filter((atMs) => atMs > 90_000);
        for (const startMs of later) {
          const within = later.filter((atMs) => atMs >= startMs && atMs < startMs + intervalMs);
          expect(within.length).toBeLessThanOrEqual(2);
        }
      }
    },
  );
});

describe('longestBackoffMs', () => {
  const NOON_MS = Date.parse('2026-02-01T12:00:00Z');
  const longest = (config: Parameters<typeof registryConfig>[0]) =>
    longestBackoffMs(registryConfig(config), NOON_MS);

  test('equals the sync interval', () => {
    expect(longest({ syncPolicy: { interval: '5m' } })).toBe(300_000);
  });

  test('of a cron pattern equals the time between two firings, but at most one hour', () => {
    expect(longest({ schedule: { pattern: '*/5 * * * *' } })).toBe(300_000);
    expect(longest({ schedule: { pattern: '0 6 * * *' } })).toBe(HOUR_MS);
  });
});

describe('longestWaitAfterDeathsMs', () => {
  test('equals the usual longest wait the first time, and is at least one hour after that', () => {
    expect(longestWaitAfterDeathsMs(5_000, { isFirst: true })).toBe(5_000);
    expect(longestWaitAfterDeathsMs(5_000, { isFirst: false })).toBe(HOUR_MS);
    expect(longestWaitAfterDeathsMs(24 * HOUR_MS, { isFirst: false })).toBe(24 * HOUR_MS);
  });
});
