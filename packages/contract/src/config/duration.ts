import { z } from 'zod';
import { DURATION, formatDuration, parseDuration } from '../duration.ts';

/** Returns a schema that parses a duration such as `1h30m` into milliseconds. */
export function durationSchema({ leastMs }: { leastMs: number }) {
  return z
    .string()
    .meta({ pattern: DURATION.source, examples: ['30s', '1h30m', '7d'] })
    .transform((text, context) => {
      const durationMs = parseDuration(text);
      if (durationMs !== undefined && durationMs >= leastMs) return durationMs;
      const least = formatDuration(leastMs);
      const what = durationMs === undefined ? 'such as 30s, 1h30m or 7d' : `of at least ${least}`;
      context.addIssue({ code: 'custom', message: `use a duration ${what}` });
      return z.NEVER;
    });
}
