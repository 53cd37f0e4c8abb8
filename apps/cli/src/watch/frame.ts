import type { RegistryView } from '@syncline/contract';
import { formatClock } from '../format/age.ts';
import { countPhases } from '../format/phase.ts';
import { formatRegistryDetails } from '../format/registry-details.ts';
import { formatRegistryLines } from '../format/registry-table.ts';
import { paint } from '../format/style.ts';
import { counted } from '../format/text.ts';
import { cut } from '../format/width.ts';

/** What is known, and since when, while it is watched. */
export interface Watched {
  readonly views: readonly RegistryView[];
  /** Redis's clock, epoch milliseconds, as far as it is known. */
  readonly nowMs: number;
  /** Those that have come to something else lately. */
  readonly changed: ReadonlySet<string>;
  /** Why it is not known how things are now, and since when, in epoch milliseconds of this machine. */
  readonly trouble: { readonly message: string; readonly sinceMs: number } | undefined;
}

export interface FrameOptions {
  readonly columns: number;
  readonly rows: number;
  /** This machine's clock, epoch milliseconds. */
  readonly clockMs: number;
  /** Everything of one registry, in place of a line for each. */
  readonly isDetailed: boolean;
}

/** What a terminal of that size is to show. */
export function frameOf(watched: Watched, options: FrameOptions): string[] {
  const head = headOf(watched, options);
  const room = Math.max(options.rows - head.length, 2);
  const { views, nowMs } = watched;
  if (!options.isDetailed) return [...head, ...tableOf(watched, { ...options, rows: room })];
  const details = views.map((view) => formatRegistryDetails(view, { nowMs }));
  return [...head, ...details.join('\n\n').split('\n').slice(0, room)];
}

function headOf({ views, trouble }: Watched, { columns, clockMs }: FrameOptions): string[] {
  const clock = formatClock(new Date(clockMs).toISOString());
  const line = cut(`${clock}  ${countPhases(views)}; Ctrl-C ends`, columns);
  if (trouble === undefined) return [line, ''];
  const since = formatClock(new Date(trouble.sinceMs).toISOString());
  return [line, paint('red', cut(`as of ${since}: ${trouble.message}`, columns)), ''];
}

function tableOf(
  { views, nowMs, changed }: Watched,
  { columns, rows }: Pick<FrameOptions, 'columns' | 'rows'>,
): string[] {
  const shown = pick(views, rows);
  const lines = formatRegistryLines(shown, {
    nowMs,
    width: columns,
    mark: ({ name }) => (changed.has(name) ? paint('bold', '*') : ' '),
  });
  const rest = views.length - shown.length;
  return rest === 0
    ? lines
    : [...lines, `and ${counted(rest, 'more registry', 'more registries')}`];
}

/** All that fit below the headings; where not all do, those that need looking at come first. */
function pick(views: readonly RegistryView[], rows: number): readonly RegistryView[] {
  const room = Math.max(rows - 1, 1);
  if (views.length <= room) return views;
  return views
    .toSorted((one, other) => urgency(one) - urgency(other))
    .slice(0, Math.max(room - 1, 1));
}

function urgency({ status, held, stale }: RegistryView): number {
  if (status.phase === 'Failed') return 0;
  if (held !== null || stale) return 1;
  return status.phase === 'Syncing' ? 2 : 3;
}
