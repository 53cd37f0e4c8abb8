import type { Command } from 'commander';
import { shortDigest } from '../format/text.ts';
import { type Store, withStore } from '../store.ts';

export interface CandidatesQuery {
  readonly command: string;
  /** The name of the argument that is typed. */
  readonly argument: string;
  /** The one before, where there is one. */
  readonly registry: string | undefined;
}

/** What may stand for an argument of a command, as far as Redis knows. */
export function findCandidates(
  program: Command,
  query: CandidatesQuery,
): Promise<readonly string[]> {
  return withStore(program, async (store) => {
    if (query.argument === 'registry') {
      return (await store.targets()).map(({ name }) => name);
    }
    if (query.argument !== 'snapshot' || query.registry === undefined) return [];
    return findSnapshots(store, query.command, query.registry);
  });
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
