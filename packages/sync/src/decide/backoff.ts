import type { RegistryConfig } from '@syncline/contract';
import { nextFiringMs } from './cron.ts';

const FIRST_DELAY_MS = 5_000;
/** The first attempts, within about one minute. Later attempts come at most twice per interval. */
const QUICK_TRIES = 4;
/** Each delay shrinks by a random share of up to this much, to spread registries that failed together. */
const JITTER = 0.2;
/** Applies even to shorter intervals, because each attempt may end the process of other runs. */
const LONGEST_AFTER_DEATHS_MS = 3_600_000;

/**
 * Returns how many milliseconds a failing registry waits before its next attempt. The wait grows up to the interval.
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
 * Returns the longest wait before an attempt: the interval. With a cron pattern, it is the time between the next two
 * firings, up to the default interval.
 */
export function longestBackoffMs({ schedule, syncPolicy }: RegistryConfig, nowMs: number): number {
  if (schedule === undefined) return syncPolicy.interval;
  const nextMs = nextFiringMs(schedule, nowMs);
  return Math.min(syncPolicy.interval, nextFiringMs(schedule, nextMs) - nextMs);
}

/**
 * Returns the longest wait of a registry whose attempts have all ended the process. The first wait is as after any
 * failure, because another registry may have caused the crash.
 */
export function longestWaitAfterDeathsMs(
  longestMs: number,
  { isFirst }: { isFirst: boolean },
): number {
  return isFirst ? longestMs : Math.max(longestMs, LONGEST_AFTER_DEATHS_MS);
}
