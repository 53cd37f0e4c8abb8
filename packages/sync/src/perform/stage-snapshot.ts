import { SynclineError } from '@syncline/contract';
import type { SnapshotStore } from '@syncline/snapshot';
import { MemoryBudget } from '@syncline/sources';
import { filterHash, filterHashOf } from '../decide/should-sync.ts';
import { IngestPool } from '../ingest/ingest-pool.ts';
import type { IngestResult } from '../ingest/messages.ts';
import type { RunContext } from '../ports/run-context.ts';
import { deriveView } from './manager.ts';
import { type StagingContext, store } from './stage.ts';
import { isDamage, readStored, type Stored } from './store-built.ts';

/** A snapshot whose manifests and chunks are stored. */
export interface StagedSnapshot extends Stored {
  /** The mirror of the snapshot, if it is another manifest. */
  readonly mirror: Stored | undefined;
}

/**
 * Finds a stored snapshot, and applies the current filter to it. Rows that this filter removes must not come back.
 *
 * @returns the snapshot itself if the same filter built it, else a new snapshot from its mirror
 * @throws SynclineError `unknown-snapshot`
 */
export async function stageSnapshot(
  snapshots: SnapshotStore,
  context: StagingContext,
  digest: string,
): Promise<StagedSnapshot> {
  const found = await findSnapshot(snapshots, { name: context.registry.name, digest });
  if (passesFilterOf(found, context.registry)) return found;
  const mirror = found.mirror ?? found;
  const built = await derive(snapshots, context, mirror);
  await store({ snapshots }, context, [built]);
  const { manifestBlob: blob, manifest } = built;
  return { blob, manifest, mirror: manifest.mirror === undefined ? undefined : mirror };
}

/**
 * Finds the snapshot that the guard holds, to publish exactly that one.
 *
 * @throws SynclineError `unknown-snapshot`, also if another filter than the current one built it
 */
export async function findHeld(
  snapshots: SnapshotStore,
  { registry }: StagingContext,
  digest: string,
): Promise<StagedSnapshot> {
  const { name } = registry;
  const found = await findSnapshot(snapshots, { name, digest });
  if (passesFilterOf(found, registry)) return found;
  const message = `${name}: the filter has changed since the guard held ${digest.slice(0, 12)}`;
  throw new SynclineError(
    'unknown-snapshot',
    `${message}. Sync ${name}, then approve the new held snapshot`,
  );
}

/** Finds a stored snapshot and its mirror. */
async function findSnapshot(
  snapshots: SnapshotStore,
  { name, digest }: { name: string; digest: string },
): Promise<StagedSnapshot> {
  const found = await readStored(snapshots, { name, digest });
  if (found === undefined) {
    throw new SynclineError('unknown-snapshot', `${name} has no snapshot ${digest}`);
  }
  const { mirror } = found.manifest;
  if (mirror === undefined) return { ...found, mirror };
  return { ...found, mirror: await readStored(snapshots, { name, digest: mirror }) };
}

function passesFilterOf({ manifest }: Stored, registry: StagingContext['registry']): boolean {
  return filterHashOf(manifest) === filterHash(registry);
}

/** What a derivation may use in a process that serves others. */
const MEMORY_BYTES = 256 * 1024 * 1024;

/** Derives a view in its own thread, because this process serves others at the same time. */
async function derive(
  snapshots: SnapshotStore,
  context: StagingContext,
  mirror: Stored,
): Promise<IngestResult> {
  const { registry, status } = context;
  const budget = new MemoryBudget({ totalBytes: MEMORY_BYTES });
  const ingest = new IngestPool({ heavyRuns: 1, memory: budget });
  using memory = budget.open(registry.name);
  const timePhase: RunContext['timePhase'] = (_phase, work) => work();
  const deriveUpon = (served: Stored | undefined) =>
    deriveView(
      { ingest, snapshots },
      { ...context, memory, timePhase },
      { mirror, ...(served && { blob: served.blob }) },
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
