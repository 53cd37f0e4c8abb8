import { SynclineError } from '@syncline/contract';
import type { SnapshotStore } from '@syncline/snapshot';
import { filterHash, filterHashOf } from '../decide/hashes.ts';
import { IngestPool } from '../ingest/ingest-pool.ts';
import type { IngestResult } from '../ingest/messages.ts';
import type { RunContext } from '../ports/run-context.ts';
import { deriveView } from './derive-and-store.ts';
import { isDamage, readStored, type Stored, store } from './store-built.ts';

/** What a lease gives who publishes a snapshot that is stored already. */
export type StageContext = Pick<RunContext, 'lease' | 'registry' | 'status' | 'now' | 'signal'>;

/** A snapshot whose manifests and chunks are stored. */
export interface StagedSnapshot extends Stored {
  /** The mirror behind it, if that is another manifest. */
  readonly mirror: Stored | undefined;
}

/**
 * Finds a stored snapshot, and applies the filter in force to it: a row that is filtered now must not come back.
 *
 * @returns the snapshot itself if its rows have passed that filter; else a new one, derived from the mirror behind it
 * @throws SynclineError `unknown-snapshot`
 */
export async function stageSnapshot(
  snapshots: SnapshotStore,
  context: StageContext,
  digest: string,
): Promise<StagedSnapshot> {
  const found = await findSnapshot(snapshots, { name: context.registry.name, digest });
  if (passesFilterOf(found, context.registry)) return found;
  const mirror = found.mirror ?? { blob: found.blob, manifest: found.manifest };
  const built = await derive(snapshots, context, mirror);
  await store({ snapshots }, context, [built]);
  const isView = built.manifest.mirror !== undefined;
  return {
    blob: built.manifestBlob,
    manifest: built.manifest,
    mirror: isView ? mirror : undefined,
  };
}

/**
 * Finds the snapshot that is held back, to publish exactly that.
 *
 * @throws SynclineError `unknown-snapshot`, also if it was built with another filter than the one in force
 */
export async function findHeld(
  snapshots: SnapshotStore,
  { registry }: StageContext,
  digest: string,
): Promise<StagedSnapshot> {
  const { name } = registry;
  const found = await findSnapshot(snapshots, { name, digest });
  if (passesFilterOf(found, registry)) return found;
  throw new SynclineError(
    'unknown-snapshot',
    `${name}: the filter has changed since ${digest.slice(0, 12)} was held back. Sync ${name}, then approve what is held`,
  );
}

/** A stored snapshot and the mirror behind it. */
async function findSnapshot(
  snapshots: SnapshotStore,
  { name, digest }: { name: string; digest: string },
): Promise<StagedSnapshot> {
  const found = await readStored(snapshots, { name, digest });
  if (found === undefined) {
    throw new SynclineError('unknown-snapshot', `${name} keeps no snapshot ${digest}`);
  }
  const { mirror } = found.manifest;
  return {
    ...found,
    mirror:
      mirror === undefined ? undefined : await readStored(snapshots, { name, digest: mirror }),
  };
}

function passesFilterOf({ manifest }: Stored, registry: StageContext['registry']): boolean {
  return filterHashOf(manifest) === filterHash(registry);
}

/** In a thread of its own: whoever asks serves others meanwhile. */
async function derive(
  snapshots: SnapshotStore,
  context: StageContext,
  mirror: Stored,
): Promise<IngestResult> {
  const ingest = new IngestPool({ heavyRuns: 1 });
  const { registry, status } = context;
  const deriveUpon = (served: Stored | undefined) =>
    deriveView(
      { ingest, snapshots },
      { ...context, timePhase: (_phase, work) => work() },
      { mirror, ...(served === undefined ? {} : { blob: served.blob }) },
    );
  try {
    const digest = status.snapshot;
    const served = digest && (await readStored(snapshots, { name: registry.name, digest }));
    return await deriveUpon(served || undefined).catch((error: unknown) => {
      if (isDamage(error)) return deriveUpon(undefined);
      throw error;
    });
  } finally {
    await ingest.close();
  }
}
