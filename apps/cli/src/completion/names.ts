import type { Command } from 'commander';
import { shortDigest } from '../format/text.ts';
// Imported before the timeout starts, because the import takes a moment.
import '../open-store.ts';
import type { Store } from '../open-store.ts';
import { withStore } from '../store.ts';
import type { NamesQuery } from './completion.ts';

/** The timeout of a completion. A later result would only disturb the user. */
const NAMES_WITHIN_MS = 2_000;

/**
 * Returns the registries or snapshots in Redis. If Redis does not respond in time, the process
 * exits without a result.
 */
export async function findNames(program: Command, query: NamesQuery): Promise<readonly string[]> {
  setTimeout(() => process.exit(0), NAMES_WITHIN_MS).unref();
  return withStore(program, async (store) => {
    if (query.argument === 'registry') {
      await store.currentConfig();
      return store.config.targets().map(({ name }) => name);
    }
    if (query.argument !== 'snapshot' || query.registry === undefined) return [];
    return findSnapshots(store, query.command, query.registry);
  }).catch(() => []);
}

async function findSnapshots(store: Store, command: string, name: string) {
  const { views } = await store.view([await store.registry(name)]);
  if (command === 'approve')
    return views.flatMap(({ held }) => held?.snapshot ?? []).map(shortDigest);
  const served = views.map(({ snapshot }) => snapshot);
  const history = await store.snapshots.history(name);
  return history
    .filter(
      ({ manifest, supersededAtMs }) => supersededAtMs !== undefined && !served.includes(manifest),
    )
    .map(({ manifest }) => shortDigest(manifest));
}
