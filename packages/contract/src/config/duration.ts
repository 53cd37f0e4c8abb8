import { z } from 'zod';
import { DURATION, formatDuration, parseDuration } from '../duration.ts';

/** A duration in the config: text in, milliseconds out. */
export function durationSchema({ leastMs }: { leastMs: number }) {
  return z
    .string()
    .meta({ pattern: DURATION.source, examples: ['30s', '1h30m', '7d'] })
    .transform((text, context) => {
      const durationMs = parseDuration(text);
      if (durationMs === undefined) {
        context.addIssue({
          code: 'custom',
          message: 'expected a duration such as 30s, 1h30m or 7d',
        });
        return z.NEVER;
      }
      if (durationMs < leastMs) {
        context.addIssue({
          code: 'custom',
          message: `expected a duration of at least ${formatDuration(leastMs)}`,
        });
        return z.NEVER;
      }
      return durationMs;
    });
}
