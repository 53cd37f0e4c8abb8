import type { Run } from '@syncline/contract';
import { formatAge, formatTook } from './age.ts';
import { formatOutcome } from './phase.ts';
import { formatDiff, formatRunRemarks } from './run-text.ts';
import { formatTable } from './table.ts';
import { shortDigest } from './text.ts';

const COLUMNS = [
  { head: 'AGE' },
  { head: 'TRIGGER' },
  { head: 'OUTCOME' },
  { head: 'ROWS', align: 'right' },
  { head: 'CHANGES' },
  { head: 'TOOK', align: 'right' },
  { head: 'SNAPSHOT' },
  { head: 'REASON' },
] as const;

/** One line a run, in the order given. */
export function formatRuns(
  runs: readonly Run[],
  { nowMs, width }: { readonly nowMs: number; readonly width?: number },
): string {
  const rows = runs.map((run) => [
    formatAge(nowMs - Date.parse(run.startedAt)),
    run.trigger,
    formatOutcome(run.outcome),
    run.rowCount === undefined ? '' : String(run.rowCount),
    formatDiff(run.diff),
    formatTook(run.durationMs),
    run.snapshot === undefined ? '' : shortDigest(run.snapshot),
    formatRunRemarks(run),
  ]);
  return formatTable(COLUMNS, rows, width === undefined ? {} : { width });
}
