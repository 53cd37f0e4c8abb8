import type { RegistryView } from '@syncline/contract';
import { formatSince, formatUntil } from './age.ts';
import { formatPhase } from './phase.ts';
import { remarksOn } from './remarks.ts';
import { type Column, formatTable, type TableOptions } from './table.ts';
import { widthOf } from './width.ts';

interface RegistryColumn extends Column {
  readonly cell: (view: RegistryView, nowMs: number) => string;
}

const COLUMNS: readonly RegistryColumn[] = [
  { head: 'REGISTRY', cell: ({ name }) => name },
  { head: 'PHASE', cell: ({ status }) => formatPhase(status.phase) },
  { head: 'SERVERS', align: 'right', cell: ({ status }) => String(status.serverCount) },
  { head: 'VERSIONS', align: 'right', cell: ({ status }) => String(status.versionCount) },
  {
    head: 'LAST SUCCESS',
    cell: ({ status }, nowMs) => formatSince(status.lastSuccessAt, nowMs),
  },
  { head: 'NEXT TRY', cell: ({ status }, nowMs) => formatUntil(status.nextDueAt, nowMs) },
  { head: 'REASON', cell: remarksOn },
];

/** With room for a mark before each name. */
const MARKED_COLUMNS = COLUMNS.map((column, index) =>
  index === 0 ? { ...column, head: ` ${column.head}` } : column,
);

/** What is left out first of a row that must fit in a narrow terminal. */
const LEFT_OUT = ['VERSIONS', 'NEXT TRY', 'SERVERS', 'LAST SUCCESS', 'REASON'];

/** One line a registry. Failing ones say when they are tried again; others follow their interval. */
export function formatRegistries(
  views: readonly RegistryView[],
  { nowMs, ...options }: TableOptions & { readonly nowMs: number },
): string {
  const rows = views.map((view) => COLUMNS.map(({ cell }) => cell(view, nowMs)));
  return formatTable(COLUMNS, rows, options);
}

export interface RegistryLinesOptions {
  readonly nowMs: number;
  readonly width: number;
  /** One character before a registry's name. */
  readonly mark: (view: RegistryView) => string;
}

/** The same with exactly one line a registry, below one of headings; columns that do not fit are left out. */
export function formatRegistryLines(
  views: readonly RegistryView[],
  { nowMs, width, mark }: RegistryLinesOptions,
): string[] {
  for (let leftOut = 0; ; leftOut += 1) {
    const hidden = LEFT_OUT.slice(0, leftOut);
    const columns = MARKED_COLUMNS.filter(({ head }) => !hidden.includes(head));
    const rows = views.map((view) => {
      const [name = '', ...cells] = columns.map(({ cell }) => cell(view, nowMs));
      return [`${mark(view)}${name}`, ...cells];
    });
    const lines = formatTable(columns, rows, { width, last: 'cut' }).split('\n');
    if (leftOut === LEFT_OUT.length || lines.every((line) => widthOf(line) <= width)) return lines;
  }
}
