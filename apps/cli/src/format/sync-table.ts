import type { Run } from '@syncline/contract';
import { formatTook } from './age.ts';
import { formatOutcome } from './phase.ts';
import { formatDiff, formatRunRemarks } from './runs.ts';
import { formatTable } from './table.ts';

const COLUMNS = [
  { head: 'REGISTRY' },
  { head: 'OUTCOME' },
  { head: 'ROWS', align: 'right' },
  { head: 'CHANGES' },
  { head: 'TOOK', align: 'right' },
  { head: 'REASON' },
] as const;

export interface SyncRow {
  readonly registry: string;
  readonly request: number;
  readonly run: Run | undefined;
}

/** One line a registry that was asked for, in the order given. */
export function formatSyncs(
  answers: readonly SyncRow[],
  { width }: { readonly width?: number } = {},
): string {
  const rows = answers.map(({ registry, request, run }) =>
    run === undefined
      ? [registry, 'waiting', '', '', '', `request ${request} stays open`]
      : [
          registry,
          formatOutcome(run.outcome),
          run.rowCount === undefined ? '' : String(run.rowCount),
          formatDiff(run.diff),
          formatTook(run.durationMs),
          formatRunRemarks(run),
        ],
  );
  return formatTable(COLUMNS, rows, width === undefined ? {} : { width });
}
