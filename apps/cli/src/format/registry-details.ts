import type { RegistryView } from '@syncline/contract';
import { formatAge, formatTook, formatUntil } from './age.ts';
import { formatPhase } from './phase.ts';
import { holding, pin, suspension } from './remarks.ts';
import { joined, plain } from './text.ts';

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
