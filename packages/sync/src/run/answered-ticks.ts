import type { RegistryConfig } from '@syncline/contract';
import type { Acquired } from '../ports/run-store.ts';
import type { Tick } from '../ports/tick-source.ts';

/** A tick on its way to a run. */
export interface Attempt extends Tick {
  /** By the store's clock; absent where it has not waited for a place. */
  readonly waitingSinceMs?: number;
}

/** A tick that follows a run by less than this, or than half an interval, is a late one or an early one. */
const SOON_MS = 30_000;

/**
 * Whether a scheduled tick has nothing left to run for: those that were missed, came early by a wrong clock, or
 * have waited at several workers are answered by one run, if that succeeded.
 *
 * @param acquired the lease that the tick would run under, and what was stored when it was taken
 */
export function isAnswered(
  { trigger, recurs, waitingSinceMs = Number.POSITIVE_INFINITY }: Attempt,
  { schedule, syncPolicy }: RegistryConfig,
  { status, control, nowMs }: Acquired,
): boolean {
  if (trigger !== 'schedule' || control.requested > control.handled) return false;
  const succeededAtMs = Date.parse(status.lastSuccessAt ?? '');
  if (succeededAtMs >= waitingSinceMs) return true;
  // That of a pattern may be the only one for a day.
  if (!recurs || schedule !== undefined) return false;
  const triedAtMs = Date.parse(status.lastAttemptAt ?? '');
  const ageMs = nowMs - triedAtMs;
  const isSoon = ageMs >= 0 && ageMs < Math.min(SOON_MS, syncPolicy.interval / 2);
  return isSoon && succeededAtMs >= triedAtMs;
}
