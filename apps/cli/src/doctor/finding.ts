export const LEVELS = ['ok', 'warning', 'problem'] as const;
export type Level = (typeof LEVELS)[number];

/** The result of one check. */
export interface Finding {
  /** The name of the check, the same in every report. */
  readonly check: string;
  readonly level: Level;
  readonly found: string;
  /** Why that matters; absent if all is well. */
  readonly why?: string;
  readonly advice?: string;
}

export type Diagnosis = Readonly<Record<'found' | 'why' | 'advice', string>>;
/** A finding without its name; a text if all is well. */
export type Result = string | Omit<Finding, 'check'>;
/** Checks by their names, in the order of the report. */
export type Checks<Facts> = Readonly<Record<string, (facts: Facts) => Result>>;

/** It works, but could work better or will not last. */
export function warning(diagnosis: Diagnosis): Result {
  return { level: 'warning', ...diagnosis };
}

/** It does not work. */
export function problem(diagnosis: Diagnosis): Result {
  return { level: 'problem', ...diagnosis };
}

export function toFinding(check: string, result: Result): Finding {
  return { check, ...(typeof result === 'string' ? { level: 'ok', found: result } : result) };
}

export function runChecks<Facts>(checks: Checks<Facts>, facts: Facts): Finding[] {
  return Object.entries(checks).map(([name, check]) => toFinding(name, check(facts)));
}

export function countLevels(findings: readonly Finding[]): Record<Level, number> {
  const counts = { ok: 0, warning: 0, problem: 0 };
  for (const { level } of findings) counts[level] += 1;
  return counts;
}
