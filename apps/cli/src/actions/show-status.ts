import { setTimeout as delay } from 'node:timers/promises';
import { SynclineError } from '@syncline/contract';
import type { RegistryViews } from '@syncline/redis';
import { isScreen } from '@syncline/runtime';
import { Interrupted } from '../errors.ts';
import { formatRegistries, formatRegistryDetails } from '../format/registries.ts';
import { withInterrupt } from '../interrupt.ts';
import type { Store } from '../open-store.ts';
import { print, printJson, toJson } from '../output.ts';
import { describeError } from '../report-error.ts';
import { watchOnScreen } from '../watch/watch-on-screen.ts';

const WATCH_EVERY_MS = 1_000;

export interface StatusOptions {
  readonly json?: true;
  readonly watch?: true;
}

/** Shows all registries and catalogs, or the named registry: once, or until Ctrl-C. */
export async function showStatus(
  store: Store,
  registry: string | undefined,
  { json, watch }: StatusOptions,
): Promise<void> {
  const isDetailed = registry !== undefined;
  const read = async () => {
    if (isDetailed) return store.view([await store.registry(registry)]);
    const { registries } = await store.currentConfig();
    // The text output includes the catalogs. The JSON output contains only the entries that the api
    // calls registries.
    return store.view(json === true ? registries : store.config.targets());
  };
  const format = ({ views, nowMs }: RegistryViews) =>
    isDetailed
      ? views.map((view) => formatRegistryDetails(view, { nowMs })).join('\n\n')
      : formatRegistries(views, { nowMs });
  if (watch !== true) {
    const found = await read();
    return json === true ? printJson(found.views) : print(format(found));
  }

  const look = () => read().catch(describePassing);
  const stream = process.stdout;
  try {
    await withInterrupt((signal) =>
      json !== true && isScreen(stream)
        ? watchOnScreen({ look, stream, everyMs: WATCH_EVERY_MS, isDetailed, signal })
        : watchInLines(look, json === true ? ({ views }) => toJson(views) : format, signal),
    );
  } catch (error) {
    // Ctrl-C is the normal way to end a watch.
    if (!(error instanceof Interrupted)) throw error;
  }
}

/** Describes a temporary error: a watch continues while Redis is unavailable. */
function describePassing(error: unknown): string {
  if (error instanceof SynclineError && error.code === 'unknown-registry') throw error;
  return describeError(error);
}

async function watchInLines(
  look: () => Promise<RegistryViews | string>,
  format: (found: RegistryViews) => string,
  signal: AbortSignal,
): Promise<void> {
  let shown: string | undefined;
  while (!signal.aborted) {
    const found = await look();
    const isError = typeof found === 'string';
    const state = isError ? found : toJson(found.views);
    if (state !== shown) print(isError ? found : format(found));
    shown = state;
    await delay(WATCH_EVERY_MS, undefined, { signal }).catch(() => undefined);
  }
}
