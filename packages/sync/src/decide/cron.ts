import { CronExpressionParser } from 'cron-parser';

/** When a registry with a cron pattern is checked, as its config has it. */
export interface CronSchedule {
  readonly pattern: string;
  /** The name of a time zone, as in `Europe/Berlin`. */
  readonly timezone: string;
}

/**
 * Returns what was expected instead of an invalid pattern; `undefined` for a valid one. A pattern has five fields, or
 * six with seconds first. It must not have `H`, which each process would replace by another random value.
 */
export function cronProblem(schedule: CronSchedule): string | undefined {
  const fields = schedule.pattern.trim().split(/\s+/);
  if (fields.length < 5 || fields.length > 6 || fields.some((field) => /\bH\b/i.test(field))) {
    return 'a cron pattern of five fields, or six with seconds first, such as 0 6 * * 1-5';
  }
  try {
    parse(schedule, Date.now()).next();
    return undefined;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    // The parser's words for a day that no month of the pattern has, and for an endless search.
    return /day of month definition|loop limit/.test(reason)
      ? 'a cron pattern that fires now and then, but no day ever matches this one'
      : `a cron pattern, but ${reason.charAt(0).toLowerCase()}${reason.slice(1)}`;
  }
}

/** Returns the first firing after `afterMs`, in epoch milliseconds. @throws Error for a pattern that does not parse */
export function nextFiringMs(schedule: CronSchedule, afterMs: number): number {
  return parse(schedule, afterMs).next().getTime();
}

/** Returns the last firing at or before `atMs`, in epoch milliseconds. @throws Error for a pattern that does not parse */
export function lastFiringMs(schedule: CronSchedule, atMs: number): number {
  return parse(schedule, atMs + 1)
    .prev()
    .getTime();
}

function parse({ pattern, timezone }: CronSchedule, currentMs: number) {
  return CronExpressionParser.parse(pattern, { tz: timezone, currentDate: new Date(currentMs) });
}
