import type { RegistryConfig } from '@syncline/contract';
import { nextFiringMs } from './cron.ts';

const FIRST_DELAY_MS = 5_000;
/** These tries come within about the first minute. After them an interval has at most two tries. */
const QUICK_TRIES = 4;
/** Delays are shortened by up to this share, which spreads registries that failed together. */
const JITTER = 0.2;
/** However short the interval: each try may end the process of other runs. */
const LONGEST_AFTER_DEATHS_MS = 3_600_000;

/**
 * Returns how long a failing registry waits for its next try: longer each time, up to its interval.
 *
 * @param options.random in [0, 1)
 */
export function backoffMs(options: {
  consecutiveFailures: number;
  intervalMs: number;
  retryAfterMs: number | undefined;
  random: number;
}): number {
  const { consecutiveFailures, intervalMs, retryAfterMs = 0, random } = options;
  const exponential = FIRST_DELAY_MS * 2 ** Math.min(consecutiveFailures - 1, 30);
  const least = consecutiveFailures > QUICK_TRIES ? intervalMs / 2 : 0;
  const wanted = Math.min(exponential, intervalMs) * (1 - JITTER * random);
  return Math.ceil(Math.max(wanted, least, retryAfterMs));
}

/**
 * Returns the longest wait for a next try: the interval. With a cron pattern it is the time between the next two
 * firings, but no more than the default interval.
 */
export function longestBackoffMs({ schedule, syncPolicy }: RegistryConfig, nowMs: number): number {
  if (schedule === undefined) return syncPolicy.interval;
  const nextMs = nextFiringMs(schedule, nowMs);
  return Math.min(syncPolicy.interval, nextFiringMs(schedule, nextMs) - nextMs);
}

/**
 * Returns the longest wait of a registry that has ended its process on each of its tries. The first wait is as after
 * any failure: another registry may have been at fault.
 */
export function longestWaitAfterDeathsMs(
  longestMs: number,
  { isFirst }: { isFirst: boolean },
): number {
  return isFirst ? longestMs : Math.max(longestMs, LONGEST_AFTER_DEATHS_MS);
}
