import { parseDuration } from '@syncline/contract/duration';
import { type Command, InvalidArgumentError } from 'commander';
import { addExamples } from '../examples.ts';
import { withStore } from '../store.ts';
import type { SyncOptions } from '../sync/sync-one.ts';

const DEFAULT_TIMEOUT_MS = 15 * 60_000;

export function addSync(program: Command): void {
  const command = program
    .command('sync')
    .description('sync a registry now, or all of them')
    .argument('[registry]')
    .option('--all', 'sync every registry that is not suspended or pinned')
    .option('--force', 'fetch even if nothing seems to have changed')
    .option('--wait', 'wait until the run has ended; exit with 1 if it failed')
    .option(
      '--timeout <duration>',
      'how long to wait, such as 30s or 5m (default: 15m)',
      readDuration,
    )
    .option('--quiet', 'do not show progress')
    .option('--json', 'print the request; with --wait, the run')
    .action((registry: string | undefined, given: Partial<SyncOptions>) => {
      const options = { timeout: DEFAULT_TIMEOUT_MS, ...given };
      if ((registry !== undefined) === (options.all === true)) {
        command.error('error: expected the name of a registry, or --all');
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

/** Parses the value of an option; returns milliseconds. */
export function readDuration(text: string): number {
  const durationMs = parseDuration(text);
  if (durationMs !== undefined) return durationMs;
  throw new InvalidArgumentError('expected a duration such as 30s or 5m.');
}
