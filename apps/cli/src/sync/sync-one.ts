import type { SynclineClient } from '@syncline/client';
import {
  type RegistryConfig,
  type RegistryView,
  type Run,
  SynclineError,
} from '@syncline/contract';
import { startLoop } from '@syncline/runtime';
import { formatTook } from '../format/age.ts';
import { formatOutcome } from '../format/phase.ts';
import { formatDiff, formatRunRemarks } from '../format/runs.ts';
import { counted, joined, plain } from '../format/text.ts';
import { withInterrupt } from '../interrupt.ts';
import { print, printJson } from '../output.ts';
import { createProgress, type Step } from '../progress/progress.ts';
import type { Store } from '../store.ts';

export interface SyncDependencies {
  readonly client: SynclineClient;
  readonly store: Store;
}

/** Requests a sync of one registry, and waits for its run if the options say so. */
export async function syncOne(
  dependencies: SyncDependencies,
  config: RegistryConfig,
  options: SyncOptions,
): Promise<void> {
  const registry = config.name;
  const force = options.force === true;
  const requested = await dependencies.client.requestSync(registry, { force });
  if (options.wait === true) {
    const run = await waitForOne(dependencies, config, { ...options, request: requested.request });
    return reportRun(run, options);
  }
  if (options.json === true) return printJson({ registry, ...requested });
  const { request, state } = requested;
  const how = state === 'joined' ? 'it is run after the run that is under way' : 'it is queued';
  print(`${registry}: request ${request}: ${how}`);
}

async function waitForOne(
  { client, store }: SyncDependencies,
  config: RegistryConfig,
  { request, timeout, quiet, json }: SyncOptions & { readonly request: number },
): Promise<Run> {
  const registry = config.name;
  const startedAtMs = performance.now();
  const look = async () => {
    const [view] = (await store.view([config])).views;
    return view === undefined ? { stage: '', text: registry } : stepOfOne(view);
  };
  const isQuiet = quiet === true || json === true;
  const run = await showingProgress({ isQuiet, look }, () =>
    withInterrupt(
      (signal) => client.waitForRun(registry, request, { timeoutMs: timeout, signal }),
      `${registry}: request ${request} stays open`,
    ),
  );
  if (run !== undefined) return run;
  const waited = formatTook(performance.now() - startedAtMs);
  throw new SynclineError(
    'unknown-run',
    `${registry}: no run has handled request ${request} within ${waited}; it stays open. Check that a worker runs`,
  );
}

function reportRun(run: Run, { json }: SyncOptions): void {
  const { registry, outcome, error, durationMs, diff } = run;
  if (json === true) printJson(run);
  if (outcome === 'failed') {
    throw new SynclineError(error?.code ?? 'internal', `${registry}: ${formatRunRemarks(run)}`);
  }
  if (json === true) return;
  const details = joined([formatDiff(diff), formatRunRemarks(run)]);
  const ended = `${formatOutcome(outcome)} in ${formatTook(durationMs)}`;
  print(`${registry}: ${ended}${details && `: ${details}`}`);
}

const LOOK_EVERY_MS = 250;

export interface WaitingOptions {
  readonly isQuiet: boolean;
  /** How far it is. A look that fails is not told: what is waited for tells what is wrong. */
  readonly look: () => Promise<Omit<Step, 'elapsedMs'>>;
}

/** Waits for `work`, and shows meanwhile how far it is. */
export async function showingProgress<Result>(
  { isQuiet, look }: WaitingOptions,
  work: () => Promise<Result>,
): Promise<Result> {
  if (isQuiet) return work();
  const progress = createProgress({ isQuiet });
  const startedAtMs = performance.now();
  const loop = startLoop({
    everyMs: LOOK_EVERY_MS,
    pass: async (signal) => {
      const step = await look();
      if (!signal.aborted) progress.show({ ...step, elapsedMs: performance.now() - startedAtMs });
    },
    onError: () => {},
  });
  try {
    return await work();
  } finally {
    // A look may wait for a Redis that is away.
    void loop.stop();
    progress.end();
  }
}

/** `official: read 3,100 rows in 31 pages` */
export function stepOfOne({ name, status }: RegistryView): Omit<Step, 'elapsedMs'> {
  if (status.phase !== 'Syncing') return { stage: 'queued', text: `${name}: waits for a worker` };
  const message = plain((status.message ?? '').replace(/^syncing(: )?/, ''));
  return { stage: 'Syncing', text: `${name}: ${message === '' ? 'is being synced' : message}` };
}

const NAMES_SHOWN = 3;

/** `12 of 40 registries done, 1 failed; syncing official, team and 2 more` */
export function stepOfAll(
  views: readonly RegistryView[],
  { done, failed }: { readonly done: number; readonly failed: number },
): Omit<Step, 'elapsedMs'> {
  const syncing = views.filter(({ status }) => status.phase === 'Syncing').map(({ name }) => name);
  const shown = syncing.slice(0, NAMES_SHOWN).join(', ');
  const more = syncing.length > NAMES_SHOWN ? ` and ${syncing.length - NAMES_SHOWN} more` : '';
  const counts = `${done} of ${counted(views.length, 'registry', 'registries')} done`;
  const text = [
    failed > 0 ? `${counts}, ${failed} failed` : counts,
    syncing.length > 0 ? `syncing ${shown}${more}` : '',
  ]
    .filter((part) => part !== '')
    .join('; ');
  return { stage: `${done}/${failed}`, text };
}

/** The options of `syncline sync`. */
export interface SyncOptions {
  readonly all?: true;
  readonly force?: true;
  readonly wait?: true;
  /** Milliseconds. */
  readonly timeout: number;
  readonly json?: true;
  readonly quiet?: true;
}
