import {
  type Config,
  type RegistryView,
  type Run,
  registryView,
  syncTargets,
} from '@syncline/contract';
import type { RegistryReader, RunLog } from '@syncline/redis';
import { type Loop, startLoop } from '@syncline/runtime';
import { formatClock } from '../format/age.ts';
import { countPhases, formatPhase } from '../format/phase.ts';
import { markOf } from '../format/registries.ts';
import { holding, pin, suspension } from '../format/remarks.ts';
import { formatDiff } from '../format/runs.ts';
import { counted, joined, plain } from '../format/text.ts';

export interface ProgressOptions {
  /** The config in force. */
  readonly config: () => Promise<Config>;
  readonly reader: RegistryReader;
  readonly runs: Pick<RunLog, 'get'>;
  readonly print: (line: string) => void;
  /** Told of a look that failed; the next one may do better. */
  readonly onError: (error: unknown) => void;
}

const LOOK_EVERY_MS = 500;
/** More registries and catalogs than this would scroll by: then a sum is printed in place of a line each. */
const MOST_LINES = 50;
const LOOK_AT_MANY_EVERY_MS = 5_000;

/**
 * Prints a line whenever a registry has come to something else. Resolves after the first look, which
 * tells what the runs before this start have left.
 */
export async function startProgress(options: ProgressOptions): Promise<Pick<Loop, 'stop'>> {
  const look = createLook(options);
  const config = await options.config();
  await look();
  const everyMs = syncTargets(config).length > MOST_LINES ? LOOK_AT_MANY_EVERY_MS : LOOK_EVERY_MS;
  return startLoop({ everyMs, pass: look, onError: options.onError });
}

function createLook({ config, reader, runs, print }: ProgressOptions): () => Promise<void> {
  const told = new Map<string, Told>();
  let lastSummary = '';

  return async () => {
    const targets = syncTargets(await config());
    const stored = await reader.readMany(targets.map(({ name }) => name));
    const views = targets.flatMap((registry) => {
      const found = stored.registries.get(registry.name);
      return found === undefined ? [] : [registryView(registry, found, stored.nowMs)];
    });
    if (views.length > MOST_LINES) {
      const summary = formatSummary(views);
      if (summary !== lastSummary) print(summary);
      lastSummary = summary;
      return;
    }
    const nameWidth = Math.max(...views.map(({ name }) => name.length));
    for (const view of views) await tell(view, { nameWidth, nowMs: stored.nowMs });
  };

  async function tell(
    view: RegistryView,
    { nameWidth, nowMs }: { nameWidth: number; nowMs: number },
  ): Promise<void> {
    const before = told.get(view.name);
    if (!isNews(before, view, nowMs)) return;
    told.set(view.name, { view, atMs: nowMs });
    const { term } = view.status;
    const run = before && term !== undefined ? await runs.get(view.name, term) : undefined;
    print(formatProgress(view, { nameWidth, run }));
  }
}

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
