export const LEVELS = ['ok', 'warning', 'problem'] as const;
export type Level = (typeof LEVELS)[number];

/** What one check has come to. */
export interface Finding {
  /** What was looked at, in a few words; the same in every report. */
  readonly check: string;
  readonly level: Level;
  readonly found: string;
  /** Why that matters; absent where all is well. */
  readonly why?: string;
  readonly advice?: string;
}

export interface Trouble {
  readonly found: string;
  readonly why: string;
  readonly advice: string;
}

export function ok(check: string, found: string): Finding {
  return { check, level: 'ok', found };
}

/** It works, and could be better or will not last. */
export function warning(check: string, trouble: Trouble): Finding {
  return { check, level: 'warning', ...trouble };
}

/** It does not work. */
export function problem(check: string, trouble: Trouble): Finding {
  return { check, level: 'problem', ...trouble };
}

export function countLevels(findings: readonly Finding[]): Record<Level, number> {
  const counts = { ok: 0, warning: 0, problem: 0 };
  for (const { level } of findings) counts[level] += 1;
  return counts;
}
