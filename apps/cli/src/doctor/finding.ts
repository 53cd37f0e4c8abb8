export const LEVELS = ['ok', 'warning', 'problem'] as const;
export type Level = (typeof LEVELS)[number];

/** The result of one check. */
export interface Finding {
  /** The name of the check. It is the same in every report. */
  readonly check: string;
  readonly level: Level;
  readonly found: string;
  /** Why the finding matters. Absent if the check passed. */
  readonly why?: string;
  readonly advice?: string;
}

export type Diagnosis = Readonly<Record<'found' | 'why' | 'advice', string>>;
/** A finding without the name of its check; only a text if the check passed. */
export type Result = string | Omit<Finding, 'check'>;
/** Checks by name, in the order of the report. */
export type Checks<Facts> = Readonly<Record<string, (facts: Facts) => Result>>;

/** Creates a warning: the installation works, but should be improved or may fail later. */
export function warning(diagnosis: Diagnosis): Result {
  return { level: 'warning', ...diagnosis };
}

/** Creates a problem: something does not work. */
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
