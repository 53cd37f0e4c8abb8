import type { Diff, Run } from '@syncline/contract';
import { formatAge, formatTook } from './age.ts';
import { formatOutcome } from './phase.ts';
import { formatTable } from './table.ts';
import { counted, joined, plain, shortDigest } from './text.ts';

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

/** `+12`, `+3 ~1 -2`: rows added, updated and removed; empty where nothing is known or changed. */
export function formatDiff(diff: Diff | undefined): string {
  if (diff === undefined) return '';
  const { added, updated, removed } = diff;
  return [added > 0 && `+${added}`, updated > 0 && `~${updated}`, removed > 0 && `-${removed}`]
    .filter((part) => part !== false)
    .join(' ');
}

/** What a run came to, beside its outcome: why it failed, what it left out, why it was made. */
export function formatRunRemarks({ error, quarantined, reason }: Run): string {
  return joined([
    error && plain(error.message),
    quarantined && quarantined.count > 0 ? `${counted(quarantined.count, 'row')} left out` : '',
    error === undefined ? reason : undefined,
  ]);
}
