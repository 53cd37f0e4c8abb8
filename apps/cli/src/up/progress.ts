import { type Config, type RegistryView, registryView, syncTargets } from '@syncline/contract';
import type { RegistryReader, RunLog } from '@syncline/redis';
import { type Loop, startLoop } from '@syncline/runtime';
import { formatProgress, formatSummary, isNews, type Told } from './progress-line.ts';

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
