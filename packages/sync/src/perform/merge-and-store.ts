import { filterHash, isFiltered, sourceHash } from '../decide/should-sync.ts';
import type { IngestResult } from '../ingest/messages.ts';
import type { RunContext } from '../ports/run-context.ts';
import type { FetchDependencies } from './manager.ts';
import { type MemberState, readMemberBlobs, readMembers, revisionOf } from './members.ts';
import {
  chunkReader,
  isDamage,
  type Previous,
  readPrevious,
  type StoreResult,
  storeBuilt,
} from './store-built.ts';

/**
 * Builds the snapshot of a catalog from its members' served snapshots, and stores it. Reads only names that have
 * changed since the last build, unless `isThorough`.
 *
 * @param options.registries in order of precedence
 * @throws SynclineError if the store fails
 */
export async function mergeAndStore(
  deps: FetchDependencies,
  context: RunContext,
  { registries, isThorough }: { registries: readonly string[]; isThorough: boolean },
): Promise<StoreResult> {
  const members = await readMembers(deps.snapshots, registries);
  const revision = revisionOf(members);
  const mergeUpon = async (previous: Previous, known: string | undefined) => {
    const built = await merge(deps, context, { members, previous, known });
    return storeBuilt(deps, context, { built, revision, previous, origin: 'source' });
  };
  const previous = await readPrevious(deps, context, { isThorough });
  try {
    return await mergeUpon(previous, isThorough ? undefined : knownRevision(context));
  } catch (error) {
    if (!isDamage(error) || previous.blob === undefined) throw error;
    context.logger.debug({ err: error, registry: context.registry.name }, 'merging once more');
    return mergeUpon({ manifest: previous.manifest }, undefined);
  }
}

/** Builds the snapshot. @param attempt.known the revision of the last build; `undefined` to read everything */
async function merge(
  { ingest, snapshots }: FetchDependencies,
  { registry, signal, memory, timePhase, now }: RunContext,
  attempt: { members: readonly MemberState[]; previous: Previous; known: string | undefined },
): Promise<IngestResult> {
  const { blob } = attempt.previous;
  const known = blob && attempt.known;
  const members = await readMemberBlobs(snapshots, { members: attempt.members, known });
  const { filter, name } = registry;
  const hash = isFiltered(registry) ? filterHash(registry) : undefined;
  const readChunks = chunkReader(snapshots, name);
  using session = ingest.open({ signal, memory, order: 'buffered', previous: blob });
  return await timePhase('build', () =>
    session.merge({ nowMs: now(), members, readChunks, filter, filterHash: hash }),
  );
}

/** Returns the served revision, if the same registries and the same filter produced it. */
function knownRevision({ registry, status }: RunContext): string | undefined {
  const isSame =
    status.sourceHash === sourceHash(registry) && status.filterHash === filterHash(registry);
  return isSame ? status.revision : undefined;
}
