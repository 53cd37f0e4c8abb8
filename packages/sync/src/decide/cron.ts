import { CronExpressionParser } from 'cron-parser';

/** When Syncline checks a registry with a cron pattern, by its config. */
export interface CronSchedule {
  readonly pattern: string;
  /** The name of a time zone, such as `Europe/Berlin`. */
  readonly timezone: string;
}

/**
 * Returns the problem of an invalid pattern and what to do; `undefined` for a valid pattern. A pattern has five fields, or
 * six with seconds first. It must not have `H`, which each process would replace by another random value.
 */
export function cronProblem(schedule: CronSchedule): string | undefined {
  const fields = schedule.pattern.trim().split(/\s+/);
  if (fields.length < 5 || fields.length > 6 || fields.some((field) => /\bH\b/i.test(field))) {
    return 'use a cron pattern with five fields, such as 0 6 * * 1-5, or with six fields if the first is seconds';
  }
  try {
    parse(schedule, Date.now()).next();
    return undefined;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    // The parser's messages for a day that no month of the pattern has, and for an endless search.
    return /day of month definition|loop limit/.test(reason)
      ? 'no day ever matches this cron pattern. Use a pattern that matches some days'
      : `the cron pattern is invalid: ${reason}. Correct it`;
  }
}

/** Returns the first firing after `afterMs`, in epoch milliseconds. @throws Error for an invalid pattern */
export function nextFiringMs(schedule: CronSchedule, afterMs: number): number {
  return parse(schedule, afterMs).next().getTime();
}

/** Returns the last firing at or before `atMs`, in epoch milliseconds. @throws Error for an invalid pattern */
export function lastFiringMs(schedule: CronSchedule, atMs: number): number {
  return parse(schedule, atMs + 1)
    .prev()
    .getTime();
}

function parse({ pattern, timezone }: CronSchedule, currentMs: number) {
  return CronExpressionParser.parse(pattern, { tz: timezone, currentDate: new Date(currentMs) });
}
