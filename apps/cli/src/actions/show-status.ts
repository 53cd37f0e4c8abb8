import { setTimeout as delay } from 'node:timers/promises';
import { SynclineError } from '@syncline/contract';
import { isScreen } from '@syncline/runtime';
import { Interrupted } from '../errors.ts';
import { formatRegistries, formatRegistryDetails } from '../format/registries.ts';
import { withInterrupt } from '../interrupt.ts';
import { print, printJson, toJson } from '../output.ts';
import { describeError } from '../report-error.ts';
import type { Store, Views } from '../store.ts';
import { watchOnScreen } from '../watch/watch-on-screen.ts';

const WATCH_EVERY_MS = 1_000;

export interface StatusOptions {
  readonly json?: true;
  readonly watch?: true;
}

/** Shows all registries and catalogs, or the one that is named: once, or until Ctrl-C. */
export async function showStatus(
  store: Store,
  registry: string | undefined,
  options: StatusOptions,
): Promise<void> {
  const look = () => lookAt(store, registry, options);
  const isDetailed = registry !== undefined;
  if (options.watch === true) return watch(look, { isDetailed, ...options });
  const found = await look();
  if (options.json === true) printJson(found.views);
  else print(format(found, isDetailed));
}

/** People are shown the catalogs, too; programs ask for what the api calls registries. */
async function lookAt(
  store: Store,
  name: string | undefined,
  { json }: StatusOptions,
): Promise<Views> {
  if (name !== undefined) return store.view([await store.registry(name)]);
  return store.view(json === true ? await store.registries() : await store.targets());
}

function format({ views, nowMs }: Views, isDetailed: boolean): string {
  if (!isDetailed) return formatRegistries(views, { nowMs });
  return views.map((view) => formatRegistryDetails(view, { nowMs })).join('\n\n');
}

/** Until Ctrl-C, which is how it is meant to end. */
async function watch(
  look: () => Promise<Views>,
  { isDetailed, json }: StatusOptions & { readonly isDetailed: boolean },
): Promise<void> {
  const stream = process.stdout;
  try {
    await withInterrupt((signal) =>
      json !== true && isScreen(stream)
        ? watchOnScreen({
            look,
            mayGoOn: throwUnknown,
            stream,
            everyMs: WATCH_EVERY_MS,
            isDetailed,
            signal,
          })
        : watchInLines(
            look,
            (found) => (json ? toJson(found.views) : format(found, isDetailed)),
            signal,
          ),
    );
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
  }
}

/** Goes on while Redis is away: what is watched for may be that it comes back. */
async function watchInLines(
  look: () => Promise<Views>,
  format: (found: Views) => string,
  signal: AbortSignal,
): Promise<void> {
  let mark: string | undefined;
  while (!signal.aborted) {
    const shown = await look().then(
      (found) => ({ text: format(found), mark: toJson(found.views) }),
      toTrouble,
    );
    if (shown.mark !== mark) print(shown.text);
    mark = shown.mark;
    await delay(WATCH_EVERY_MS, undefined, { signal }).catch(() => undefined);
  }
}

function toTrouble(error: unknown): { text: string; mark: string } {
  throwUnknown(error);
  const text = describeError(error);
  return { text, mark: text };
}

/** There is nothing to watch. */
function throwUnknown(error: unknown): void {
  if (error instanceof SynclineError && error.code === 'unknown-registry') throw error;
}
