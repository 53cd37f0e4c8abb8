import type { RegistryView } from '@syncline/contract';
import { formatAge, formatSince, formatTook, formatUntil } from './age.ts';
import { formatPhase } from './phase.ts';
import { holding, pin, remarksOn, suspension } from './remarks.ts';
import { type Column, formatFacts, formatTable } from './table.ts';
import { joined, plain } from './text.ts';
import { widthOf } from './width.ts';

/** Returns a text that changes when the state of a registry changes, but not when a run changes nothing. */
export function markOf({ status, snapshot, held, control }: RegistryView): string {
  const { phase, errorCode } = status;
  const { suspended, pinned } = control;
  return JSON.stringify([phase, errorCode, snapshot, held?.snapshot, suspended, pinned]);
}

function columnsAt(nowMs: number): Column<RegistryView>[] {
  return [
    { head: 'REGISTRY', cell: ({ name }) => name },
    { head: 'PHASE', cell: ({ status }) => formatPhase(status.phase) },
    { head: 'SERVERS', align: 'right', cell: ({ status }) => String(status.serverCount) },
    { head: 'VERSIONS', align: 'right', cell: ({ status }) => String(status.versionCount) },
    { head: 'LAST SUCCESS', cell: ({ status }) => formatSince(status.lastSuccessAt, nowMs) },
    { head: 'NEXT TRY', cell: ({ status }) => formatUntil(status.nextDueAt, nowMs) },
    { head: 'REASON', cell: remarksOn },
  ];
}

/** The columns to omit on a narrow terminal, in this order. */
const DISPENSABLE = ['VERSIONS', 'NEXT TRY', 'SERVERS', 'LAST SUCCESS', 'REASON'];

/** Formats one line for each registry. For a failing registry, the line shows when the next try is. */
export function formatRegistries(
  views: readonly RegistryView[],
  { nowMs, ...options }: { readonly nowMs: number; readonly width?: number },
): string {
  return formatTable(columnsAt(nowMs), views, options);
}

export interface RegistryLinesOptions {
  readonly nowMs: number;
  readonly width: number;
  /** Returns one character to show before a registry's name. */
  readonly mark: (view: RegistryView) => string;
}

/** Formats exactly one line for each registry, below the headings. Omits columns that do not fit. */
export function formatRegistryLines(
  views: readonly RegistryView[],
  { nowMs, width, mark }: RegistryLinesOptions,
): string[] {
  const [, ...others] = columnsAt(nowMs);
  const name = { head: ' REGISTRY', cell: (view: RegistryView) => `${mark(view)}${view.name}` };
  for (let leftOut = 0; ; leftOut += 1) {
    const hidden = DISPENSABLE.slice(0, leftOut);
    const columns = [name, ...others.filter(({ head }) => !hidden.includes(head))];
    const lines = formatTable(columns, views, { width, last: 'cut' }).split('\n');
    if (leftOut === DISPENSABLE.length || lines.every((line) => widthOf(line) <= width))
      return lines;
  }
}

/** Formats all facts about one registry, one fact per line. */
export function formatRegistryDetails(
  view: RegistryView,
  { nowMs }: { readonly nowMs: number },
): string {
  const { status, source, snapshot, control } = view;
  const when = (timestamp: string | undefined) =>
    timestamp && `${formatAge(nowMs - Date.parse(timestamp))} ago, ${timestamp}`;
  const open = control.requested - control.handled;
  return formatFacts([
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
  ]).join('\n');
}

function formatSchedule(schedule: RegistryView['schedule']): string {
  if ('interval' in schedule) return `every ${schedule.interval}`;
  return `${plain(schedule.pattern)} in ${schedule.timezone}`;
}
