import type { Command } from 'commander';
// Before the clock of the shell's user runs: it takes a moment to load.
import '../open-store.ts';
import { shortDigest } from '../format/text.ts';
import { type Store, withStore } from '../store.ts';
import type { NamesQuery } from './completion.ts';

/** Nobody who has pressed a key waits any longer. */
const NAMES_WITHIN_MS = 2_000;

/** Returns the registries or snapshots that Redis knows; none if it does not answer in time. */
export async function findNames(program: Command, query: NamesQuery): Promise<readonly string[]> {
  setTimeout(() => process.exit(0), NAMES_WITHIN_MS).unref();
  try {
    return await withStore(program, async (store) => {
      if (query.argument === 'registry') {
        return (await store.targets()).map(({ name }) => name);
      }
      if (query.argument !== 'snapshot' || query.registry === undefined) return [];
      return findSnapshots(store, query.command, query.registry);
    });
  } catch {
    return [];
  }
}

async function findSnapshots(store: Store, command: string, name: string) {
  const { views } = await store.view([await store.registry(name)]);
  const held = views.flatMap((view) => (view.held === null ? [] : [view.held.snapshot]));
  if (command === 'approve') return held.map(shortDigest);
  const served = views.map(({ snapshot }) => snapshot);
  const history = await store.snapshots.history(name);
  return history
    .filter(
      ({ manifest, supersededAtMs }) => supersededAtMs !== undefined && !served.includes(manifest),
    )
    .map(({ manifest }) => shortDigest(manifest));
}
