import { setTimeout as delay } from 'node:timers/promises';
import type { RegistryView } from '@syncline/contract';
import { formatClock } from '../format/age.ts';
import { countPhases } from '../format/phase.ts';
import { formatRegistryDetails, formatRegistryLines, markOf } from '../format/registries.ts';
import { paint } from '../format/style.ts';
import { counted } from '../format/text.ts';
import { cut } from '../format/width.ts';
import { describeError } from '../report-error.ts';
import type { Views } from '../store.ts';

export interface WatchOptions {
  readonly look: () => Promise<Views>;
  /** Throws where the error means that there is nothing to watch. */
  readonly mayGoOn: (error: unknown) => void;
  readonly stream: NodeJS.WriteStream;
  readonly everyMs: number;
  readonly isDetailed: boolean;
  readonly signal: AbortSignal;
}

/** How long a registry counts as changed. */
const CHANGED_FOR_MS = 5_000;

/**
 * Shows on a terminal how registries are, until the signal is aborted; then the terminal is as it was.
 * Goes on while Redis is away: what is watched for may be that it comes back.
 */
export async function watchOnScreen(options: WatchOptions): Promise<void> {
  const { stream, everyMs, signal, isDetailed } = options;
  const screen = openScreen(stream);
  const watch = startWatch(options);
  const draw = () => {
    const watched = watch.seen();
    if (watched === undefined) return;
    const { columns, rows } = stream;
    screen.draw(frameOf(watched, { columns, rows, clockMs: Date.now(), isDetailed }));
  };
  stream.on('resize', draw);
  process.on('exit', screen.close);
  const ended = new Promise<void>((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
  try {
    while (!signal.aborted) {
      // A look may wait for a Redis that does not answer; the end must not.
      await Promise.race([watch.look(), ended]);
      draw();
      await delay(everyMs, undefined, { signal }).catch(() => undefined);
    }
  } finally {
    stream.off('resize', draw);
    process.off('exit', screen.close);
    screen.close();
  }
}

/** Looks again and again, and remembers what has changed when. */
function startWatch({ look, mayGoOn }: Pick<WatchOptions, 'look' | 'mayGoOn'>) {
  const marks = new Map<string, { readonly mark: string; readonly changedAtMs: number }>();
  let last: { readonly found: Views; readonly atMs: number } | undefined;
  let trouble: Watched['trouble'];

  return {
    async look(): Promise<void> {
      try {
        const found = await look();
        for (const view of found.views) note(view, found.nowMs);
        last = { found, atMs: Date.now() };
        trouble = undefined;
      } catch (error) {
        mayGoOn(error);
        trouble = { message: describeError(error), sinceMs: last?.atMs ?? Date.now() };
      }
    },

    seen(): Watched | undefined {
      if (last === undefined && trouble === undefined) return undefined;
      const { views = [], nowMs: seenMs = Date.now() } = last?.found ?? {};
      const nowMs = seenMs + (last === undefined ? 0 : Date.now() - last.atMs);
      const changed = new Set(
        [...marks].flatMap(([name, { changedAtMs }]) =>
          nowMs - changedAtMs < CHANGED_FOR_MS ? [name] : [],
        ),
      );
      return { views, nowMs, changed, trouble };
    },
  };

  /** That a run is under way is no change: most change nothing. */
  function note(view: RegistryView, nowMs: number): void {
    const before = marks.get(view.name);
    if (view.status.phase === 'Syncing' && before !== undefined) return;
    const mark = markOf(view);
    if (mark === before?.mark) return;
    const changedAtMs = before === undefined ? Number.NEGATIVE_INFINITY : nowMs;
    marks.set(view.name, { mark, changedAtMs });
  }
}

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

/** The part of a terminal that a screen needs. */
export type ScreenStream = Pick<NodeJS.WriteStream, 'write' | 'columns' | 'rows'>;

/** A terminal that is drawn upon as a whole, and given back as it was. */
export interface Screen {
  /** Shows these lines and nothing else; what does not fit is not seen. */
  draw(lines: readonly string[]): void;
  /** May be called again. */
  close(): void;
}

/** Its other buffer, so that what was there comes back; no cursor; lines that are too long are cut. */
const OPEN = '\x1b[?1049h\x1b[?25l\x1b[?7l';
const CLOSE = '\x1b[?7h\x1b[?25h\x1b[?1049l';
const HOME = '\x1b[H';
const CLEAR_LINE = '\x1b[K';
const CLEAR_BELOW = '\x1b[J';
/** All at once, where the terminal can: half a frame is not seen. */
const BEGIN_FRAME = '\x1b[?2026h';
const END_FRAME = '\x1b[?2026l';

export function openScreen(stream: ScreenStream): Screen {
  let isOpen = true;
  stream.write(OPEN);
  return {
    draw: (lines) => {
      if (!isOpen) return;
      // Written over and cleared line by line: clearing all first would flicker.
      const text = lines
        .slice(0, stream.rows)
        .map((line) => `${line}${CLEAR_LINE}`)
        .join('\r\n');
      stream.write(`${BEGIN_FRAME}${HOME}${text}${CLEAR_BELOW}${END_FRAME}`);
    },
    close: () => {
      if (isOpen) stream.write(CLOSE);
      isOpen = false;
    },
  };
}
