import type { Reason } from '@syncline/contract';
import { readMemberBlobs, readMembers, revisionOf } from './catalog/members.ts';
import type { FetchDependencies } from './fetch-and-store.ts';
import { filterHash, sourceHash } from './hashes.ts';
import type { Slot } from './ingest/slots.ts';
import type { RunContext } from './ports.ts';
import { readChunkBlobs } from './snapshot/reader.ts';
import { readPrevious, type StoreResult, storeBuilt } from './store-built.ts';

export interface MergeWork {
  /** In order of precedence. */
  readonly registries: readonly string[];
  readonly reason: Reason;
  readonly slot: Slot;
}

/**
 * Builds the snapshot of a catalog from what its registries serve, and stores it. Only names that have
 * changed since the last time are looked at, unless everything is due to be.
 *
 * @throws SynclineError where the store does not do its part
 */
export async function mergeAndStore(
  deps: FetchDependencies,
  context: RunContext,
  { registries, reason, slot }: MergeWork,
): Promise<StoreResult> {
  const { ingest, snapshots } = deps;
  const { registry, status, signal, timePhase, now } = context;
  const members = await readMembers(snapshots, registries);
  const previous = await readPrevious(deps, context);
  const isKnown = previous.blob !== undefined && canBuildUpon(context, reason);
  const blobs = await readMemberBlobs(snapshots, {
    members,
    known: isKnown ? status.revision : undefined,
  });
  const session = ingest.open({
    filter: registry.filter,
    signal,
    slot,
    order: 'buffered',
    previous: previous.blob,
  });
  try {
    const readChunks = (digests: readonly string[], member = registry.name) =>
      readChunkBlobs(snapshots, { registry: member, digests });
    const built = await timePhase('build', () =>
      session.merge({ nowMs: now(), members: blobs, readChunks }),
    );
    return await storeBuilt(deps, context, { built, revision: revisionOf(members), previous });
  } finally {
    session.close();
  }
}

/** Whether what is served is what the revision stands for, merged and filtered as it is to be now. */
function canBuildUpon({ registry, status, force }: RunContext, reason: Reason): boolean {
  return (
    !force &&
    reason !== 'reconcile-due' &&
    status.sourceHash === sourceHash(registry) &&
    status.filterHash === filterHash(registry)
  );
}
