const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/**
 * Formats a time span in one unit: `45s`, `12m`, `30h`, `5d`. A unit is used up to twice the next
 * larger unit.
 */
export function formatAge(ageMs: number): string {
  const ms = Math.max(0, ageMs);
  if (ms < 2 * MINUTE_MS) return `${Math.floor(ms / SECOND_MS)}s`;
  if (ms < 2 * HOUR_MS) return `${Math.floor(ms / MINUTE_MS)}m`;
  if (ms < 2 * DAY_MS) return `${Math.floor(ms / HOUR_MS)}h`;
  return `${Math.floor(ms / DAY_MS)}d`;
}

/** Formats how long ago a time was; `never` if there is no time. */
export function formatSince(timestamp: string | undefined, nowMs: number): string {
  return timestamp === undefined ? 'never' : formatAge(nowMs - Date.parse(timestamp));
}

/**
 * Formats how far in the future a time is. Returns `now` if that is less than a second, and an empty
 * text if there is no time.
 */
export function formatUntil(timestamp: string | undefined, nowMs: number): string {
  if (timestamp === undefined) return '';
  const aheadMs = Date.parse(timestamp) - nowMs;
  return aheadMs < SECOND_MS ? 'now' : `in ${formatAge(aheadMs)}`;
}

/** Formats a duration: `85ms`, `1.3s`, `4m12s`. */
export function formatTook(durationMs: number): string {
  if (durationMs < SECOND_MS) return `${Math.round(durationMs)}ms`;
  if (durationMs < MINUTE_MS) return `${(durationMs / SECOND_MS).toFixed(1)}s`;
  const seconds = Math.round(durationMs / SECOND_MS);
  return `${Math.floor(seconds / 60)}m${String(seconds % 60).padStart(2, '0')}s`;
}

/** Formats the time of day in the local time zone: `14:03:59`. */
export function formatClock(time: string | number): string {
  return new Date(time).toTimeString().slice(0, 8);
}
