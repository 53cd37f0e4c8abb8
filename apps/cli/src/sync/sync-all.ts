import { type Requested, requestAll } from '@syncline/client';
import type { RegistryConfig } from '@syncline/contract';
import { EndedWith, EXIT_STATUS } from '../errors.ts';
import { formatSyncs, type Handled } from '../format/runs.ts';
import { countedRegistries, joined } from '../format/text.ts';
import { print, printJson } from '../output.ts';
import { type SyncDependencies, type SyncOptions, showingProgress, stepOfAll } from './sync-one.ts';

/**
 * Requests a sync of every registry that is not paused. Waits for all runs if the options say so.
 *
 * @throws EndedWith if a run failed, or no run handled a request in time
 */
export async function syncAll(
  dependencies: SyncDependencies,
  registries: readonly RegistryConfig[],
  options: SyncOptions,
): Promise<void> {
  const names = registries.map(({ name }) => name);
  const all = await requestAll(dependencies.client, names, { force: options.force === true });
  const { requests, suspended } = all;
  const notRequested =
    suspended.length === 0
      ? ''
      : `; skipped because they are suspended or pinned: ${suspended.join(', ')}`;
  if (options.wait !== true) {
    if (options.json === true) return printJson(all);
    return print(`requested a sync of ${countedRegistries(requests.length)}${notRequested}`);
  }
  const asked = new Set(requests.map(({ registry }) => registry));
  const configs = registries.filter(({ name }) => asked.has(name));
  const handled = await waitForAll(dependencies, { requests, configs, options });
  const runs = handled.flatMap(({ run }) => run ?? []);
  const open = handled.filter(({ run }) => run === undefined);
  if (options.json === true) {
    const unanswered = open.map(({ registry, request }) => ({ registry, request }));
    printJson({ runs, unanswered, suspended });
  } else {
    if (handled.length > 0) print(`${formatSyncs(handled)}\n`);
    print(`${summarise(handled)}${notRequested}`);
  }
  if (open.length > 0 || runs.some(({ outcome }) => outcome === 'failed')) {
    throw new EndedWith(EXIT_STATUS.failed);
  }
}

interface WaitForAll {
  readonly requests: readonly Requested[];
  readonly configs: readonly RegistryConfig[];
  readonly options: SyncOptions;
}

async function waitForAll(
  { client, store }: SyncDependencies,
  { requests, configs, options }: WaitForAll,
): Promise<Handled[]> {
  let done = 0;
  let failed = 0;
  const wait = async (signal: AbortSignal, { registry, request }: Requested) => {
    const timeoutMs = options.timeout;
    const run = await client.waitForRun(registry, request, { timeoutMs, signal });
    if (run !== undefined) done += 1;
    if (run?.outcome === 'failed') failed += 1;
    return { registry, request, run };
  };
  const look = async () => stepOfAll((await store.view(configs)).views, { done, failed });
  return showingProgress(
    { options, look, ifInterrupted: 'open requests stay in the queue' },
    (signal) => Promise.all(requests.map((requested) => wait(signal, requested))),
  );
}

/** Formats a summary, as in `3 registries: 1 failed, 2 published`. */
function summarise(handled: readonly Handled[]): string {
  const counts = new Map<string, number>();
  for (const { run } of handled) {
    const outcome = run?.outcome ?? 'timed out';
    counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
  }
  const parts = [...counts].map(([outcome, count]) => `${count} ${outcome}`).sort();
  return joined([countedRegistries(handled.length), parts.join(', ')], ': ');
}
