import type { SynclineClient } from '@syncline/client';
import { type RegistryConfig, type Run, SynclineError } from '@syncline/contract';
import { formatTook } from '../format/age.ts';
import { formatOutcome } from '../format/phase.ts';
import { formatDiff, formatRunRemarks } from '../format/run-text.ts';
import { joined } from '../format/text.ts';
import { withInterrupt } from '../interrupt.ts';
import { print, printJson } from '../output.ts';
import type { Store } from '../store.ts';
import type { SyncOptions } from './options.ts';
import { showingProgress, stepOfOne } from './waiting.ts';

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
