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
import { countedRegistries, joined, listed, plain } from '../format/text.ts';
import { withInterrupt } from '../interrupt.ts';
import type { Store } from '../open-store.ts';
import { print, printJson } from '../output.ts';
import { createProgress, type Step } from '../progress/progress.ts';

/** The options of `syncline sync`. */
export interface SyncOptions {
  readonly all?: true;
  readonly force?: true;
  readonly wait?: true;
  /** The timeout in milliseconds. */
  readonly timeout: number;
  readonly json?: true;
  readonly quiet?: true;
}

export interface SyncDependencies {
  readonly client: SynclineClient;
  readonly store: Store;
}

/** Requests a sync of one registry. Waits for its run if the options say so. */
export async function syncOne(
  { client, store }: SyncDependencies,
  config: RegistryConfig,
  options: SyncOptions,
): Promise<void> {
  const registry = config.name;
  const requested = await client.requestSync(registry, { force: options.force === true });
  const { request, state } = requested;
  if (options.wait !== true) {
    if (options.json === true) return printJson({ registry, ...requested });
    const how = state === 'joined' ? 'starts after the current run' : 'queued';
    return print(`${registry}: request ${request} ${how}`);
  }
  const startedAtMs = performance.now();
  const look = async () => {
    const [view] = (await store.view([config])).views;
    return view === undefined ? { stage: '', text: registry } : stepOfOne(view);
  };
  const run = await showingProgress(
    { options, look, ifInterrupted: `${registry}: request ${request} stays open` },
    (signal) => client.waitForRun(registry, request, { timeoutMs: options.timeout, signal }),
  );
  if (run !== undefined) return reportRun(run, options);
  const waited = formatTook(performance.now() - startedAtMs);
  throw new SynclineError(
    'unknown-run',
    `${registry}: no run handled request ${request} within ${waited}. The request stays open. Check that a worker runs`,
  );
}

function reportRun(run: Run, { json }: SyncOptions): void {
  const { registry, outcome, error, durationMs, diff } = run;
  if (json === true) printJson(run);
  if (outcome === 'failed') {
    throw new SynclineError(error?.code ?? 'internal', `${registry}: ${formatRunRemarks(run)}`);
  }
  if (json === true) return;
  const ended = `${formatOutcome(outcome)} in ${formatTook(durationMs)}`;
  const details = joined([formatDiff(diff), formatRunRemarks(run)]);
  print(`${registry}: ${joined([ended, details], ': ')}`);
}

const LOOK_EVERY_MS = 250;

export interface WaitingOptions {
  readonly options: SyncOptions;
  /** Returns the current progress. Errors are ignored, because the work itself reports them. */
  readonly look: () => Promise<Omit<Step, 'elapsedMs'>>;
  readonly ifInterrupted: string;
}

/** Waits for `work` until Ctrl-C, and shows its progress meanwhile. */
export async function showingProgress<Result>(
  { options: { quiet, json }, look, ifInterrupted }: WaitingOptions,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  if (quiet === true || json === true) return withInterrupt(work, ifInterrupted);
  const progress = createProgress();
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
    return await withInterrupt(work, ifInterrupted);
  } finally {
    // Does not await the loop, because it may be waiting for an unavailable Redis.
    void loop.stop();
    progress.end();
  }
}

/** Formats the progress of one sync, as in `official: read 3,100 rows in 31 pages`. */
export function stepOfOne({ name, status }: RegistryView): Omit<Step, 'elapsedMs'> {
  if (status.phase !== 'Syncing') return { stage: 'queued', text: `${name}: waiting for a worker` };
  const message = plain((status.message ?? '').replace(/^syncing(: )?/, ''));
  return { stage: 'Syncing', text: `${name}: ${message === '' ? 'syncing' : message}` };
}

/**
 * Formats the progress of many syncs, as in `12 of 40 registries done, 1 failed; syncing official, team,
 * examples and 2 more`.
 */
export function stepOfAll(
  views: readonly RegistryView[],
  { done, failed }: { readonly done: number; readonly failed: number },
): Omit<Step, 'elapsedMs'> {
  const syncing = views.filter(({ status }) => status.phase === 'Syncing').map(({ name }) => name);
  const text = joined([
    `${done} of ${countedRegistries(views.length)} done${failed > 0 ? `, ${failed} failed` : ''}`,
    syncing.length > 0 && `syncing ${listed(syncing)}`,
  ]);
  return { stage: `${done}/${failed}`, text };
}
