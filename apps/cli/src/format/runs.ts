import type { Diff, Run } from '@syncline/contract';
import { formatAge, formatTook } from './age.ts';
import { formatOutcome } from './phase.ts';
import { type Column, formatTable } from './table.ts';
import { counted, joined, plain, shortDigest } from './text.ts';

const RESULT_COLUMNS: readonly Column<Run>[] = [
  { head: 'OUTCOME', cell: ({ outcome }) => formatOutcome(outcome) },
  { head: 'ROWS', align: 'right', cell: ({ rowCount }) => String(rowCount ?? '') },
  { head: 'CHANGES', cell: ({ diff }) => formatDiff(diff) },
  { head: 'TOOK', align: 'right', cell: ({ durationMs }) => formatTook(durationMs) },
];
const REASON: Column<Run> = { head: 'REASON', cell: formatRunRemarks };

/** Formats one line for each run, in the given order. */
export function formatRuns(
  runs: readonly Run[],
  { nowMs, ...options }: { readonly nowMs: number; readonly width?: number },
): string {
  const columns: Column<Run>[] = [
    { head: 'AGE', cell: ({ startedAt }) => formatAge(nowMs - Date.parse(startedAt)) },
    { head: 'TRIGGER', cell: ({ trigger }) => trigger },
    ...RESULT_COLUMNS,
    { head: 'SNAPSHOT', cell: ({ snapshot }) => shortDigest(snapshot ?? '') },
    REASON,
  ];
  return formatTable(columns, runs, options);
}

/**
 * A request and the run that handled it. `run` is undefined if no run handled the request in time.
 */
export interface Handled {
  readonly registry: string;
  readonly request: number;
  readonly run: Run | undefined;
}

/** Formats one line for each request, in the given order. */
export function formatSyncs(requests: readonly Handled[]): string {
  const results = [...RESULT_COLUMNS, REASON].map((column) => ({
    ...column,
    cell: ({ run, request }: Handled) => {
      if (run !== undefined) return column.cell(run);
      if (column.head === 'OUTCOME') return 'waiting';
      return column.head === REASON.head ? `request ${request} stays open` : '';
    },
  }));
  return formatTable(
    [{ head: 'REGISTRY', cell: ({ registry }) => registry }, ...results],
    requests,
  );
}

/** Formats rows added, updated and removed, such as `+12` or `+3 ~1 -2`; empty if nothing changed. */
export function formatDiff(diff: Diff | undefined): string {
  if (diff === undefined) return '';
  const { added, updated, removed } = diff;
  return [added > 0 && `+${added}`, updated > 0 && `~${updated}`, removed > 0 && `-${removed}`]
    .filter((part) => part !== false)
    .join(' ');
}

/** Formats why a run failed or why it ran, and how many rows it skipped. */
export function formatRunRemarks({ error, quarantined, reason }: Run): string {
  return joined([
    error && plain(error.message),
    quarantined && quarantined.count > 0 ? `${counted(quarantined.count, 'row')} skipped` : '',
    error === undefined ? reason : undefined,
  ]);
}
