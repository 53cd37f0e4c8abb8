import { type Config, type RegistryView, type Run, syncTargets } from '@syncline/contract';
import { type RegistryReader, type RunLog, viewRegistries } from '@syncline/redis';
import { type Loop, startLoop } from '@syncline/runtime';
import { formatClock } from '../format/age.ts';
import { countPhases, formatPhase } from '../format/phase.ts';
import { markOf } from '../format/registries.ts';
import { interventionsOn } from '../format/remarks.ts';
import { formatDiff } from '../format/runs.ts';
import { counted, joined, plain } from '../format/text.ts';

export interface ProgressOptions {
  /** Returns the config in force. */
  readonly config: () => Promise<Config>;
  readonly reader: RegistryReader;
  readonly runs: Pick<RunLog, 'get'>;
  readonly print: (line: string) => void;
  /** Called with the error of a failed pass. The loop continues. */
  readonly onError: (error: unknown) => void;
}

const LOOK_EVERY_MS = 500;
/** Above this number of registries and catalogs, prints totals instead of a line for each. */
const MOST_LINES = 50;
const LOOK_AT_MANY_EVERY_MS = 5_000;

/**
 * Prints a line whenever the state of a registry changes. Resolves after the first pass, which prints the
 * current states.
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
    const { views, nowMs } = await viewRegistries(reader, syncTargets(await config()));
    if (views.length > MOST_LINES) {
      const summary = `  ${countPhases(views)}`;
      if (summary !== lastSummary) print(summary);
      lastSummary = summary;
      return;
    }
    const nameWidth = Math.max(...views.map(({ name }) => name.length));
    for (const view of views) {
      const before = told.get(view.name);
      if (!isNews(before, view, nowMs)) continue;
      told.set(view.name, { view, atMs: nowMs });
      const { term } = view.status;
      const run = before && term !== undefined ? await runs.get(view.name, term) : undefined;
      print(formatProgress(view, { nameWidth, run }));
    }
  };
}

/** The state of a registry that was printed last, and the time, in epoch milliseconds. */
export interface Told {
  readonly view: RegistryView;
  readonly atMs: number;
}

/** How often to print the progress of a first sync. */
const SYNCING_EVERY_MS = 5_000;

/** Returns whether to print a line for `now` after `before`. */
export function isNews(before: Told | undefined, now: RegistryView, nowMs: number): boolean {
  if (now.status.phase !== 'Syncing') {
    return before === undefined || markOf(before.view) !== markOf(now);
  }
  // While a sync is running, prints a line only for first syncs, because most later runs change nothing.
  if (before?.view.status.phase === 'Pending') return true;
  if (before?.view.status.phase !== 'Syncing') return false;
  const hasNewMessage = before.view.status.message !== now.status.message;
  return hasNewMessage && nowMs - before.atMs >= SYNCING_EVERY_MS;
}

export interface ProgressLineOptions {
  /** The width of the name column. */
  readonly nameWidth: number;
  /** The run that changed the state, if a run did. */
  readonly run: Run | undefined;
}

/** Formats a line, as in `examples  Complete  12 servers, 12 versions (published +12)`. */
export function formatProgress(
  view: RegistryView,
  { nameWidth, run }: ProgressLineOptions,
): string {
  const { name, status } = view;
  const text = joined([body(view, run), interventionsOn(view)]);
  return `  ${name.padEnd(nameWidth)}  ${formatPhase(status.phase)}  ${text}`.trimEnd();
}

function body({ status, snapshot }: RegistryView, run: Run | undefined): string {
  const { phase, message = '', nextDueAt, serverCount, versionCount } = status;
  switch (phase) {
    case 'Failed':
      return joined([
        plain(run?.error?.message ?? message),
        nextDueAt !== undefined && `the next try is at ${formatClock(nextDueAt)}`,
      ]);
    case 'Complete':
      if (snapshot === null) return '';
      return `${counted(serverCount, 'server')}, ${counted(versionCount, 'version')}${change(run)}`;
    case 'Pending':
      return plain(message);
    case 'Syncing':
      return plain(message.replace(/^syncing: /, ''));
  }
}

/** Formats a change, as in ` (published +12, 2 rows skipped)`. */
function change(run: Run | undefined): string {
  if (run?.outcome !== 'published') return '';
  const leftOut = run.quarantined?.count ?? 0;
  const published = `published ${formatDiff(run.diff)}`.trimEnd();
  return ` (${joined([published, leftOut > 0 && `${counted(leftOut, 'row')} skipped`], ', ')})`;
}
