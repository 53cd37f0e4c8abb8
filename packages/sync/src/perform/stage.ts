import { batchesOf, type SyncStatus } from '@syncline/contract';
import {
  type BuiltSnapshot,
  type CollectOptions,
  collectGarbage,
  makeRoom,
  type SnapshotStore,
} from '@syncline/snapshot';
import type { RunContext } from '../ports/run-context.ts';
import { Interruption } from '../run/lease-keeper.ts';

export interface StoreDependencies {
  readonly snapshots: SnapshotStore;
}

/** The context of a run, or of an operation, that stages snapshots: it stores them before their publication. */
export type StagingContext = Pick<
  RunContext,
  'lease' | 'registry' | 'status' | 'now' | 'signal' | 'staging'
>;

/** Between two writes of this many chunks, a run notices that it must end. */
const CHUNKS_AT_ONCE = 256;

/**
 * Stages built snapshots, and removes garbage. Writes nothing if the snapshots do not fit into the store.
 *
 * @throws Interruption if the lease is lost
 * @throws SynclineError `registry-over-quota`, `store-over-quota`, `store-full`
 */
export async function store(
  { snapshots }: StoreDependencies,
  context: StagingContext,
  built: readonly (BuiltSnapshot | undefined)[],
): Promise<void> {
  const { lease, registry, status, signal, staging } = context;
  const parts = built.filter((it) => it !== undefined);
  // A view may share its mirror with no kept snapshot.
  const mirrors = parts.map(({ manifest }) => manifest.mirror);
  const limits = await makeRoom(snapshots, {
    ...collection(context, [...mirrors, ...referencedBy(status)]),
    blobs: parts.flatMap(({ newChunks, manifestBlob }) => [...newChunks, manifestBlob]),
    quotaBytes: registry.limits.storedBytes,
  });
  staging.hasBegun = true;
  let written = true;
  for (const { newChunks, manifestBlob } of parts) {
    for (const batch of batchesOf(newChunks, CHUNKS_AT_ONCE)) {
      signal.throwIfAborted();
      written &&= await snapshots.writeChunks(lease, batch, limits);
    }
    written &&= await snapshots.writeManifest(lease, manifestBlob, limits);
  }
  const own = parts.map(({ manifestBlob }) => manifestBlob.digest);
  written &&= await collectGarbage(
    snapshots,
    collection(context, [...own, ...referencedBy(status)]),
  );
  if (!written) throw new Interruption('lease-lost', 'the run lost its lease: a write was refused');
}

/**
 * Removes what no kept snapshot needs, such as the staged parts of a failed publication.
 *
 * @param statuses all statuses that the registry may have afterwards
 */
export async function collectStaged(
  { snapshots }: StoreDependencies,
  context: Pick<StagingContext, 'lease' | 'registry' | 'now'>,
  statuses: readonly SyncStatus[],
): Promise<void> {
  await collectGarbage(snapshots, collection(context, statuses.flatMap(referencedBy)));
}

function collection(
  { lease, registry, now }: Pick<StagingContext, 'lease' | 'registry' | 'now'>,
  spare: CollectOptions['spare'],
): CollectOptions {
  return { lease, keep: registry.snapshots, nowMs: now(), spare };
}

/** Returns the manifests that a status names. What a run must find again later has to be named here, too. */
function referencedBy({ held, snapshot, mirror }: SyncStatus): CollectOptions['spare'] {
  return [held?.snapshot, snapshot, mirror];
}
