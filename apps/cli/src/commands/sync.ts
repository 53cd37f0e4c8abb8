import { parseDuration } from '@syncline/contract/duration';
import { type Command, InvalidArgumentError } from 'commander';
import { addExamples } from '../examples.ts';
import { withStore } from '../store.ts';
import type { SyncOptions } from '../sync/sync-one.ts';

const DEFAULT_TIMEOUT_MS = 15 * 60_000;

export function addSync(program: Command): void {
  const command = program
    .command('sync')
    .description('sync one registry or all registries now')
    .argument('[registry]')
    .option('--all', 'sync all registries that are not suspended or pinned')
    .option('--force', 'fetch all rows, even if the source seems unchanged')
    .option('--wait', 'wait until the run has ended; exit with 1 if the run failed')
    .option(
      '--timeout <duration>',
      'the maximum time to wait, such as 30s or 5m (default: 15m)',
      readDuration,
    )
    .option('--quiet', 'do not show progress')
    .option('--json', 'print the request as JSON; with --wait, print the run as JSON')
    .action((registry: string | undefined, given: Partial<SyncOptions>) => {
      const options = { timeout: DEFAULT_TIMEOUT_MS, ...given };
      if ((registry !== undefined) === (options.all === true)) {
        const problem = registry === undefined ? 'no registry given' : 'a registry and --all given';
        command.error(`error: ${problem}. Name a registry, or use --all`);
      }
      return withStore(program, async (store) => {
        const { createSynclineClient } = await import('@syncline/client');
        const client = createSynclineClient({ redis: store.redis, prefix: store.env.prefix });
        try {
          if (registry === undefined) {
            const { syncAll } = await import('../sync/sync-all.ts');
            return await syncAll(
              { client, store },
              (await store.currentConfig()).registries,
              options,
            );
          }
          const { syncOne } = await import('../sync/sync-one.ts');
          await syncOne({ client, store }, await store.registry(registry), options);
        } finally {
          await client.close();
        }
      });
    });
  addExamples(command, [
    'syncline sync official',
    'syncline sync official --force --wait --timeout 5m',
    'syncline sync --all --wait --json',
  ]);
}

/** Parses the value of a duration option. Returns milliseconds. */
export function readDuration(text: string): number {
  const durationMs = parseDuration(text);
  if (durationMs !== undefined) return durationMs;
  throw new InvalidArgumentError('Use a duration such as 30s or 5m.');
}
