import type { RegistryConfig } from '@syncline/contract';
import { nextFiringMs } from './cron.ts';

const FIRST_DELAY_MS = 5_000;
/** So many tries lie in the first minute or so; after them an interval has at most two. */
const QUICK_TRIES = 4;
/** Delays are shortened by up to this share, so that registries that failed together part ways. */
const JITTER = 0.2;
/** However short its interval: each try may cost those beside it a death. */
const LONGEST_AFTER_DEATHS_MS = 3_600_000;

/**
 * How long a registry that keeps failing waits for its next try: longer each time, up to its interval.
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
 * The longest wait for a next try: the interval; of a registry with a cron pattern, the time between its
 * next two firings, but no more than the default interval.
 */
export function longestBackoffMs({ schedule, syncPolicy }: RegistryConfig, nowMs: number): number {
  if (schedule === undefined) return syncPolicy.interval;
  const nextMs = nextFiringMs(schedule, nowMs);
  return Math.min(syncPolicy.interval, nextFiringMs(schedule, nextMs) - nextMs);
}

/**
 * The longest wait of a registry that has ended its process on each of its tries. The first one is as
 * after any failure: it may have been another's fault.
 */
export function longestWaitAfterDeathsMs(
  longestMs: number,
  { isFirst }: { isFirst: boolean },
): number {
  return isFirst ? longestMs : Math.max(longestMs, LONGEST_AFTER_DEATHS_MS);
}
