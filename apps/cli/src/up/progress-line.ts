import type { RegistryView, Run } from '@syncline/contract';
import { formatClock } from '../format/age.ts';
import { markOf } from '../format/mark.ts';
import { countPhases, formatPhase } from '../format/phase.ts';
import { holding, pin, suspension } from '../format/remarks.ts';
import { formatDiff } from '../format/run-text.ts';
import { counted, joined, plain } from '../format/text.ts';

/** What someone was told of a registry, and when, in epoch milliseconds. */
export interface Told {
  readonly view: RegistryView;
  readonly atMs: number;
}

/** How often it is told how far the first sync of a registry is. */
const SYNCING_EVERY_MS = 5_000;

/** Whether someone who was told `before` wants to be told `now`. */
export function isNews(before: Told | undefined, now: RegistryView, nowMs: number): boolean {
  if (now.status.phase === 'Syncing')
    return before !== undefined && isFirstSync(before, now, nowMs);
  return before === undefined || markOf(before.view) !== markOf(now);
}

/** Later syncs are known by what they change: most change nothing. */
function isFirstSync({ view, atMs }: Told, now: RegistryView, nowMs: number): boolean {
  if (view.status.phase === 'Pending') return true;
  if (view.status.phase !== 'Syncing') return false;
  return view.status.message !== now.status.message && nowMs - atMs >= SYNCING_EVERY_MS;
}

export interface ProgressLineOptions {
  /** All names are made as wide. */
  readonly nameWidth: number;
  /** The run that brought the news, where there was one. */
  readonly run: Run | undefined;
}

/** `examples  Complete  12 servers, 12 versions (published +12)` */
export function formatProgress(
  view: RegistryView,
  { nameWidth, run }: ProgressLineOptions,
): string {
  const { name, status } = view;
  const text = joined([body(view, run), holding(view), suspension(view), pin(view)]);
  return `  ${name.padEnd(nameWidth)}  ${formatPhase(status.phase)}  ${text}`.trimEnd();
}

function body({ status, snapshot }: RegistryView, run: Run | undefined): string {
  const { phase, message = '', nextDueAt } = status;
  switch (phase) {
    case 'Failed':
      return joined([
        plain(run?.error?.message ?? message),
        nextDueAt !== undefined && `next try at ${formatClock(nextDueAt)}`,
      ]);
    case 'Complete':
      return snapshot === null ? '' : `${contents(status)}${change(run)}`;
    case 'Pending':
      return plain(message);
    case 'Syncing':
      return plain(message.replace(/^syncing: /, ''));
  }
}

function contents({ serverCount, versionCount }: RegistryView['status']): string {
  return `${counted(serverCount, 'server')}, ${counted(versionCount, 'version')}`;
}

/** ` (published +12, 2 rows left out)` */
function change(run: Run | undefined): string {
  if (run?.outcome !== 'published') return '';
  const leftOut = run.quarantined?.count ?? 0;
  const published = `published ${formatDiff(run.diff)}`.trimEnd();
  return ` (${published}${leftOut > 0 ? `, ${counted(leftOut, 'row')} left out` : ''})`;
}

/** `  300 registries: 290 Complete, 10 Failed` */
export function formatSummary(views: readonly RegistryView[]): string {
  return `  ${countPhases(views)}`;
}
