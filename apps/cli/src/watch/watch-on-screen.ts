import { setTimeout as delay } from 'node:timers/promises';
import type { RegistryView } from '@syncline/contract';
import { markOf } from '../format/mark.ts';
import { describeError } from '../report-error.ts';
import type { Views } from '../store.ts';
import { frameOf, type Watched } from './frame.ts';
import { openScreen } from './screen.ts';

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
