import { type AllRequested, type Requested, requestAll } from '@syncline/client';
import type { RegistryConfig, Run } from '@syncline/contract';
import { EndedWith, EXIT_STATUS } from '../errors.ts';
import { formatSyncs } from '../format/sync-table.ts';
import { counted } from '../format/text.ts';
import { withInterrupt } from '../interrupt.ts';
import { print, printJson } from '../output.ts';
import { type SyncDependencies, type SyncOptions, showingProgress, stepOfAll } from './sync-one.ts';

/** A request and the run that handled it; without one, no run has handled it in time. */
export interface Answered {
  readonly registry: string;
  readonly request: number;
  readonly run: Run | undefined;
}

/** Requests a sync of every registry that is not paused, and waits for all runs if the options say so. */
export async function syncAll(
  dependencies: SyncDependencies,
  registries: readonly RegistryConfig[],
  options: SyncOptions,
): Promise<void> {
  const names = registries.map(({ name }) => name);
  const all = await requestAll(dependencies.client, names, { force: options.force === true });
  if (options.wait === true) {
    const answers = await waitForAll(dependencies, { all, registries, options });
    return reportAnswers(answers, { suspended: all.suspended, options });
  }
  if (options.json === true) return printJson(all);
  print(
    `${counted(all.requests.length, 'registry', 'registries')} asked for${left(all.suspended)}`,
  );
}

async function waitForAll(
  { client, store }: SyncDependencies,
  waiting: {
    readonly all: AllRequested;
    readonly registries: readonly RegistryConfig[];
    readonly options: SyncOptions;
  },
): Promise<Answered[]> {
  const { timeout, quiet, json } = waiting.options;
  const { requests } = waiting.all;
  const asked = new Set(requests.map(({ registry }) => registry));
  const configs = waiting.registries.filter(({ name }) => asked.has(name));
  let done = 0;
  let failed = 0;
  const wait = async (signal: AbortSignal, { registry, request }: Requested) => {
    const run = await client.waitForRun(registry, request, { timeoutMs: timeout, signal });
    if (run !== undefined) done += 1;
    if (run?.outcome === 'failed') failed += 1;
    return { registry, request, run };
  };
  const look = async () => stepOfAll((await store.view(configs)).views, { done, failed });
  return showingProgress({ isQuiet: quiet === true || json === true, look }, () =>
    withInterrupt(
      (signal) => Promise.all(requests.map((requested) => wait(signal, requested))),
      'the requests that are not handled yet stay open',
    ),
  );
}

/** @throws EndedWith if a run has failed, or a request was not handled in time */
function reportAnswers(
  answers: readonly Answered[],
  { suspended, options }: { readonly suspended: readonly string[]; readonly options: SyncOptions },
): void {
  const runs = answers.flatMap(({ run }) => (run === undefined ? [] : [run]));
  const open = answers.flatMap(({ registry, request, run }) =>
    run === undefined ? [{ registry, request }] : [],
  );
  if (options.json === true) printJson({ runs, unanswered: open, suspended });
  else {
    if (answers.length > 0) print(`${formatSyncs(answers)}\n`);
    print(summarise(runs, { open: open.length, suspended }));
  }
  if (open.length > 0 || runs.some(({ outcome }) => outcome === 'failed'))
    throw new EndedWith(EXIT_STATUS.failed);
}

/** `3 registries: 1 failed, 2 published; suspended: team` */
function summarise(
  runs: readonly Run[],
  { open, suspended }: { readonly open: number; readonly suspended: readonly string[] },
): string {
  const counts = new Map<string, number>();
  for (const { outcome } of runs) counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
  if (open > 0) counts.set('not run in time', open);
  const parts = [...counts].map(([outcome, count]) => `${count} ${outcome}`).sort();
  const total = counted(runs.length + open, 'registry', 'registries');
  return `${[total, ...(parts.length > 0 ? [parts.join(', ')] : [])].join(': ')}${left(suspended)}`;
}

function left(suspended: readonly string[]): string {
  return suspended.length === 0 ? '' : `; not asked for, being stopped: ${suspended.join(', ')}`;
}
