import { readChunkBlobs } from '@syncline/snapshot';
import { filterHash, isFiltered, sourceHash } from '../decide/hashes.ts';
import type { IngestResult } from '../ingest/messages.ts';
import type { RunContext } from '../ports/run-context.ts';
import type { FetchDependencies } from './fetch-and-store.ts';
import { type MemberState, readMemberBlobs, readMembers, revisionOf } from './members.ts';
import {
  isDamage,
  type Previous,
  readPrevious,
  type StoreResult,
  storeBuilt,
} from './store-built.ts';

export interface MergeWork {
  /** In order of precedence. */
  readonly registries: readonly string[];
  /** Looks at everything, whatever is known of it. */
  readonly isThorough: boolean;
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
  { registries, isThorough }: MergeWork,
): Promise<StoreResult> {
  const members = await readMembers(deps.snapshots, registries);
  const revision = revisionOf(members);
  const previous = await readPrevious(deps, context, { isThorough });
  const known = isThorough ? undefined : knownRevision(context);
  try {
    const built = await merge(deps, context, { members, previous, known });
    return await storeBuilt(deps, context, { built, revision, previous, origin: 'source' });
  } catch (error) {
    if (!isDamage(error) || previous.blob === undefined) throw error;
    context.logger.debug({ err: error, registry: context.registry.name }, 'merging once more');
    const afresh = { manifest: previous.manifest };
    const built = await merge(deps, context, { members, previous: afresh, known: undefined });
    return storeBuilt(deps, context, { built, revision, previous: afresh, origin: 'source' });
  }
}

interface MergeAttempt {
  readonly members: readonly MemberState[];
  readonly previous: Previous;
  /** What the catalog was built from; `undefined` to look at everything. */
  readonly known: string | undefined;
}

async function merge(
  { ingest, snapshots }: FetchDependencies,
  { registry, signal, timePhase, now }: RunContext,
  { members, previous, known }: MergeAttempt,
): Promise<IngestResult> {
  const blobs = await readMemberBlobs(snapshots, {
    members,
    known: previous.blob === undefined ? undefined : known,
  });
  const { filter, name } = registry;
  const filterTask = {
    filter,
    filterHash: isFiltered(registry) ? filterHash(registry) : undefined,
  };
  const session = ingest.open({ signal, order: 'buffered', previous: previous.blob });
  try {
    const readChunks = (digests: readonly string[], member = name) =>
      readChunkBlobs(snapshots, { registry: member, digests });
    return await timePhase('build', () =>
      session.merge({ nowMs: now(), members: blobs, readChunks, ...filterTask }),
    );
  } finally {
    session.close();
  }
}

/** The revision of what is served, if that was merged and filtered as it is to be now. */
function knownRevision({ registry, status }: RunContext): string | undefined {
  const isSame =
    status.sourceHash === sourceHash(registry) && status.filterHash === filterHash(registry);
  return isSame ? status.revision : undefined;
}
