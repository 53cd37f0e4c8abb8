import { createSynclineClient, type SynclineClient } from '@syncline/client';
import { parseDuration, type Run, SynclineError } from '@syncline/contract';
import { type Command, InvalidArgumentError } from 'commander';
import { formatTook } from '../format/age.ts';
import { formatDiff, formatRunRemarks } from '../format/run-text.ts';
import { joined } from '../format/text.ts';
import { print } from '../output.ts';
import { withStore } from '../store.ts';

interface SyncOptions {
  readonly force?: true;
  readonly wait?: true;
  readonly timeout: number;
}

const DEFAULT_TIMEOUT_MS = 15 * 60_000;

export function addSync(program: Command): void {
  program
    .command('sync')
    .description('have a registry synced now')
    .argument('<registry>')
    .option('--force', 'fetch even where nothing seems to have changed')
    .option('--wait', 'until the run has ended; status 1 where it failed')
    .option(
      '--timeout <duration>',
      'how long to wait, such as 30s or 5m',
      readDuration,
      DEFAULT_TIMEOUT_MS,
    )
    .addHelpText('after', '\nExample:\n  $ syncline sync official --wait')
    .action((registry: string, options: SyncOptions) =>
      withStore(program, async ({ redis, env, ...store }) => {
        const { name } = await store.registry(registry);
        const client = createSynclineClient({ redis, prefix: env.prefix });
        try {
          await sync(client, name, options);
        } finally {
          await client.close();
        }
      }),
    );
}

async function sync(client: SynclineClient, registry: string, options: SyncOptions): Promise<void> {
  const force = options.force === true;
  const { request, state } = await client.requestSync(registry, { force });
  if (options.wait !== true) {
    const how = state === 'joined' ? 'it is run after the run that is under way' : 'it is queued';
    print(`${registry}: request ${request}: ${how}`);
    return;
  }
  const startedAtMs = performance.now();
  const run = await client.waitForRun(registry, request, { timeoutMs: options.timeout });
  if (run === undefined) throw unanswered(registry, request, performance.now() - startedAtMs);
  reportRun(run);
}

function reportRun(run: Run): void {
  const { registry, outcome, error, durationMs, diff } = run;
  if (outcome === 'failed') {
    throw new SynclineError(error?.code ?? 'internal', `${registry}: ${formatRunRemarks(run)}`);
  }
  const details = joined([formatDiff(diff), formatRunRemarks(run)]);
  print(`${registry}: ${outcome} in ${formatTook(durationMs)}${details && `: ${details}`}`);
}

function unanswered(registry: string, request: number, waitedMs: number): SynclineError {
  return new SynclineError(
    'unknown-run',
    `${registry}: no run has answered request ${request} within ${formatTook(waitedMs)}; it stays open`,
    { expected: 'a worker to be running' },
  );
}

/** A duration that an option is given. */
export function readDuration(text: string): number {
  const durationMs = parseDuration(text);
  if (durationMs !== undefined) return durationMs;
  throw new InvalidArgumentError('expected a duration such as 30s or 5m.');
}
