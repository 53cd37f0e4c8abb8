import type { Control, SyncStatus } from '@syncline/contract';
import type { SnapshotHistoryEntry } from '@syncline/snapshot';
import { testBlob } from '@syncline/snapshot/testing';
import { expect } from 'vitest';
import { type ModelRegistry, SNAPSHOT_NAMES, SNAPSHOTS, type SnapshotName } from './model.ts';
import type { ProtocolStore } from './protocol-store.ts';

/** Everything that a store knows of the registry. */
export interface Observed {
  readonly status: SyncStatus | undefined;
  readonly control: Control;
  readonly runTerms: readonly string[];
  readonly pointer: string | undefined;
  readonly history: readonly SnapshotHistoryEntry[];
  readonly chunks: readonly string[];
  readonly storedBytes: number;
  /** The bytes of all other registries. */
  readonly otherBytes: number;
}

export async function observe(store: ProtocolStore, registry: string): Promise<Observed> {
  const [status, control, runs, pointer, history, chunks, bytes] = await Promise.all([
    store.status.load(registry),
    store.readControl(registry),
    store.listRuns(registry),
    store.snapshots.readPointer(registry),
    store.snapshots.history(registry),
    store.snapshots.listChunks(registry),
    store.snapshots.readStoredBytes(registry),
  ]);
  const runTerms = runs.map(({ term }) => term);
  return {
    status,
    control,
    runTerms,
    pointer,
    history: history.toSorted((one, other) => (one.manifest < other.manifest ? -1 : 1)),
    chunks: chunks.toSorted(),
    storedBytes: bytes.registry,
    otherBytes: bytes.total - bytes.registry,
  };
}

export const manifestOf = (name: SnapshotName) => testBlob(`manifest ${name}`);
export const chunkOf = (chunk: string) => testBlob(`chunk ${chunk}`);

const NAMES = new Map<string, string>([
  ...SNAPSHOT_NAMES.map((name) => [manifestOf(name).digest, name] as const),
  ...Object.values(SNAPSHOTS)
    .flat()
    .map((chunk) => [chunkOf(chunk).digest, chunk] as const),
]);
/** Returns the name for a digest, for people to read. */
export const nameOf = (digest: string | undefined) =>
  digest === undefined ? undefined : (NAMES.get(digest) ?? digest);

/** Compares the stored state with the model. */
export function expectAsModelled(observed: Observed, model: ModelRegistry): void {
  const { status, control } = observed;
  expect({
    phase: status?.phase ?? 'Pending',
    term: status?.term,
    owner: status?.owner,
    lease: leaseState(status),
    startsWithoutFinish: status?.startsWithoutFinish ?? 0,
    failures: status?.consecutiveFailures ?? 0,
    message: status?.message,
    snapshot: nameOf(status?.snapshot),
    requested: control.requested,
    handled: control.handled,
    force: control.force,
    suspended: control.suspended,
    pinned: nameOf(control.pinned),
    runTerms: observed.runTerms,
    pointer: nameOf(observed.pointer),
    manifests: observed.history.map(({ manifest }) => nameOf(manifest)).sort(),
    superseded: observed.history
      .filter(isSuperseded)
      .map((it) => nameOf(it.manifest))
      .sort(),
    chunks: observed.chunks.map(nameOf).sort(),
    storedBytes: observed.storedBytes,
  }).toEqual({
    phase: model.phase,
    term: model.term,
    owner: model.owner,
    lease: model.owner === undefined ? 'none' : model.lapsed ? 'lapsed' : 'lasts',
    startsWithoutFinish: model.startsWithoutFinish,
    failures: model.failures,
    message: model.message,
    snapshot: model.snapshot,
    requested: model.requested,
    handled: model.handled,
    force: model.force,
    suspended: model.suspended,
    pinned: model.pinned,
    runTerms: model.runs,
    pointer: model.pointer,
    manifests: [...model.manifests].sort(),
    superseded: [...model.superseded].filter((name) => model.manifests.has(name)).sort(),
    chunks: [...model.chunks].sort(),
    storedBytes: bytesOf(model),
  });
  expectServedWhole(observed);
}

/** Returns the bytes that the registry stores. */
export function bytesOf({ manifests, chunks }: ModelRegistry): number {
  const blobs = [...[...manifests].map(manifestOf), ...[...chunks].map(chunkOf)];
  return blobs.reduce((sum, { bytes }) => sum + bytes.length, 0);
}

/** I3, independent of the model: the store has every part of the served snapshot. */
function expectServedWhole({ pointer, history, chunks }: Observed): void {
  const name = SNAPSHOT_NAMES.find((it) => it === nameOf(pointer));
  if (name === undefined) return;
  const stored = [...history.map(({ manifest }) => manifest), ...chunks].map(nameOf);
  expect(stored).toEqual(expect.arrayContaining([name, ...SNAPSHOTS[name]]));
}

function isSuperseded({ supersededAtMs }: SnapshotHistoryEntry): boolean {
  return supersededAtMs !== undefined;
}

/** Returns the state of the lease. New leases last minutes, and expired leases ended long ago. */
function leaseState(status: SyncStatus | undefined): 'none' | 'lapsed' | 'lasts' {
  if (status?.leaseUntil === undefined) return 'none';
  return status.leaseUntil <= 1 ? 'lapsed' : 'lasts';
}
