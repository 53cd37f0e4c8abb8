import { z } from 'zod';

const rfc3339 = z.iso.datetime({ offset: true });
const SECONDS = /T\d\d:\d\d:\d\d(\.\d+)?/;

/**
 * Returns the nanoseconds since the epoch for an RFC 3339 time, or `undefined` if the text is not such a time. Ignores
 * digits beyond nanoseconds. `Date` would lose the microseconds that registries write, and so the order of changes
 * within a millisecond.
 */
export function parseInstant(text: string): bigint | undefined {
  const seconds = SECONDS.exec(text);
  if (seconds === null || !rfc3339.safeParse(text).success) return undefined;
  const fraction = seconds[1] ?? '.';
  const wholeSecondsMs = Date.parse(text.replace(fraction, ''));
  return BigInt(wholeSecondsMs) * 1_000_000n + BigInt(fraction.slice(1, 10).padEnd(9, '0'));
}
