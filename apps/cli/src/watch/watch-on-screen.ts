import { setTimeout as delay } from 'node:timers/promises';
import type { RegistryView } from '@syncline/contract';
import type { RegistryViews } from '@syncline/redis';
import { formatClock } from '../format/age.ts';
import { countPhases } from '../format/phase.ts';
import { formatRegistryDetails, formatRegistryLines, markOf } from '../format/registries.ts';
import { paint } from '../format/style.ts';
import { counted } from '../format/text.ts';
import { cut } from '../format/width.ts';

export interface WatchOptions {
  /** Returns the state of the registries, or the message of a temporary error. */
  readonly look: () => Promise<RegistryViews | string>;
  readonly stream: NodeJS.WriteStream;
  readonly everyMs: number;
  readonly isDetailed: boolean;
  readonly signal: AbortSignal;
}

/** How long a registry is shown as changed. */
const CHANGED_FOR_MS = 5_000;

/** Shows the state of registries on a terminal until the signal is aborted, then restores the terminal. */
export async function watchOnScreen(options: WatchOptions): Promise<void> {
  const { look, stream, everyMs, signal, isDetailed } = options;
  const screen = openScreen(stream);
  const memory = createMemory();
  const draw = () => {
    const watched = memory.watched();
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
      // Redis may not respond, and the watch must end without waiting for a response.
      await Promise.race([look().then(memory.note), ended]);
      draw();
      await delay(everyMs, undefined, { signal }).catch(() => undefined);
    }
  } finally {
    stream.off('resize', draw);
    process.off('exit', screen.close);
    screen.close();
  }
}

/** Remembers the last state, and when each registry changed. */
function createMemory() {
  const marks = new Map<string, { readonly mark: string; readonly changedAtMs: number }>();
  let last: (RegistryViews & { readonly atMs: number }) | undefined;
  let failure: Watched['failure'];

  return {
    note(found: RegistryViews | string): void {
      if (typeof found === 'string') {
        failure = { message: found, sinceMs: last?.atMs ?? Date.now() };
        return;
      }
      for (const view of found.views) noteMark(view, found.nowMs);
      last = { ...found, atMs: Date.now() };
      failure = undefined;
    },

    watched(): Watched | undefined {
      if (last === undefined && failure === undefined) return undefined;
      const {
        views,
        nowMs: seenMs,
        atMs,
      } = last ?? { views: [], nowMs: Date.now(), atMs: Date.now() };
      const nowMs = seenMs + Date.now() - atMs;
      const changed = [...marks].filter(([, mark]) => nowMs - mark.changedAtMs < CHANGED_FOR_MS);
      return { views, nowMs, changed: new Set(changed.map(([name]) => name)), failure };
    },
  };

  /**
   * Records when a registry changes. The start of a run does not count as a change, because most runs
   * change nothing.
   */
  function noteMark(view: RegistryView, nowMs: number): void {
    const before = marks.get(view.name);
    if (view.status.phase === 'Syncing' && before !== undefined) return;
    const mark = markOf(view);
    if (mark === before?.mark) return;
    const changedAtMs = before === undefined ? Number.NEGATIVE_INFINITY : nowMs;
    marks.set(view.name, { mark, changedAtMs });
  }
}

/** The data of one frame. */
export interface Watched extends RegistryViews {
  /** Registries that changed recently. */
  readonly changed: ReadonlySet<string>;
  /**
   * If the last read failed: the message, and the time of the first failure, in epoch milliseconds of this
   * machine.
   */
  readonly failure: { readonly message: string; readonly sinceMs: number } | undefined;
}

export interface FrameOptions {
  readonly columns: number;
  readonly rows: number;
  /** The time of this machine's clock, in epoch milliseconds. */
  readonly clockMs: number;
  /** Whether to show all facts about a registry instead of a line for each. */
  readonly isDetailed: boolean;
}

/** Returns the lines to show on a terminal of the given size. */
export function frameOf(watched: Watched, options: FrameOptions): string[] {
  const head = headOf(watched, options);
  const room = Math.max(options.rows - head.length, 2);
  const { views, nowMs } = watched;
  if (!options.isDetailed) return [...head, ...tableOf(watched, options.columns, room)];
  const details = views.map((view) => formatRegistryDetails(view, { nowMs }));
  return [...head, ...details.join('\n\n').split('\n').slice(0, room)];
}

function headOf({ views, failure }: Watched, { columns, clockMs }: FrameOptions): string[] {
  const line = cut(`${formatClock(clockMs)}  ${countPhases(views)}; Ctrl-C ends`, columns);
  if (failure === undefined) return [line, ''];
  const asOf = `as of ${formatClock(failure.sinceMs)}: ${failure.message}`;
  return [line, paint('red', cut(asOf, columns)), ''];
}

function tableOf({ views, nowMs, changed }: Watched, width: number, rows: number): string[] {
  const shown = mostUrgent(views, rows);
  const mark = ({ name }: RegistryView) => (changed.has(name) ? paint('bold', '*') : ' ');
  const lines = formatRegistryLines(shown, { nowMs, width, mark });
  const rest = views.length - shown.length;
  if (rest === 0) return lines;
  return [...lines, `and ${counted(rest, 'more registry', 'more registries')}`];
}

/**
 * Returns all registries if they fit below the headings. Otherwise returns the first ones in order of
 * urgency.
 */
function mostUrgent(views: readonly RegistryView[], rows: number): readonly RegistryView[] {
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

/** Switches to the alternate screen, and turns off the cursor and line wrap. */
const OPEN = '\x1b[?1049h\x1b[?25l\x1b[?7l';
const CLOSE = '\x1b[?7h\x1b[?25h\x1b[?1049l';
const HOME = '\x1b[H';
const CLEAR_LINE = '\x1b[K';
const CLEAR_BELOW = '\x1b[J';
/** Terminals that know these sequences show only complete frames. */
const BEGIN_FRAME = '\x1b[?2026h';
const END_FRAME = '\x1b[?2026l';

/** Takes control of a terminal. `draw` shows only the given lines; `close` restores the terminal. */
export function openScreen(stream: Pick<NodeJS.WriteStream, 'write' | 'rows'>) {
  let isOpen = true;
  stream.write(OPEN);
  return {
    draw: (lines: readonly string[]) => {
      if (!isOpen) return;
      // Overwrites and clears each line. Clearing the whole screen first would flicker.
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
