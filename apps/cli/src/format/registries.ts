import type { RegistryView } from '@syncline/contract';
import { formatAge, formatSince, formatTook, formatUntil } from './age.ts';
import { formatPhase } from './phase.ts';
import { holding, pin, remarksOn, suspension } from './remarks.ts';
import { type Column, formatTable, type TableOptions } from './table.ts';
import { joined, plain } from './text.ts';
import { widthOf } from './width.ts';

/** What there is to tell of a registry, without what changes with each run that changes nothing. */
export function markOf({ status, snapshot, held, control }: RegistryView): string {
  const { phase, errorCode } = status;
  const { suspended, pinned } = control;
  return JSON.stringify([phase, errorCode, snapshot, held?.snapshot, suspended, pinned]);
}

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

/** Everything that is known of one registry, one line a fact; what there is nothing of is left out. */
export function formatRegistryDetails(
  view: RegistryView,
  { nowMs }: { readonly nowMs: number },
): string {
  const { status, source, snapshot, control } = view;
  const when = (timestamp: string | undefined) =>
    timestamp && `${formatAge(nowMs - Date.parse(timestamp))} ago, ${timestamp}`;
  const open = control.requested - control.handled;
  const facts: readonly (readonly [string, string | undefined])[] = [
    ['registry', view.name],
    ['source', `${source.kind} ${plain(source.location)}`],
    ['schedule', formatSchedule(view.schedule)],
    ['phase', joined([formatPhase(status.phase).trimEnd(), view.stale && 'stale'])],
    ['message', status.message && plain(status.message)],
    ['reason', status.reason],
    ['error', status.errorCode],
    ['failures', status.consecutiveFailures > 0 ? String(status.consecutiveFailures) : undefined],
    ['next try', formatUntil(status.nextDueAt, nowMs)],
    ['control', joined([suspension(view), pin(view)])],
    ['suspended', when(control.suspendedAt ?? undefined)],
    ['held', holding(view)],
    ['requests', open > 0 ? `${open} open` : undefined],
    ['servers', String(status.serverCount)],
    ['versions', String(status.versionCount)],
    ['quarantined', status.quarantinedCount > 0 ? String(status.quarantinedCount) : undefined],
    ['last attempt', when(status.lastAttemptAt)],
    ['last success', when(status.lastSuccessAt) ?? 'never'],
    ['last change', when(status.lastChangeAt)],
    ['took', status.durationMs === undefined ? undefined : formatTook(status.durationMs)],
    ['snapshot', snapshot ?? undefined],
  ];
  const shown = facts.filter(([, value]) => value !== undefined && value !== '');
  const width = Math.max(...shown.map(([name]) => name.length)) + 2;
  return shown.map(([name, value]) => `${name.padEnd(width)}${value}`).join('\n');
}

function formatSchedule(schedule: RegistryView['schedule']): string {
  if ('interval' in schedule) return `every ${schedule.interval}`;
  return `${plain(schedule.pattern)} in ${schedule.timezone}`;
}
