import { SynclineError } from '@syncline/contract';
import type { Blob, SnapshotStore } from '@syncline/snapshot';
import type { MemberBlobs } from '../ingest/messages.ts';

/** What each registry of a catalog serves now, in order of precedence. */
export interface MemberState {
  readonly registry: string;
  /** Digest of its manifest; `undefined` where it was never published. */
  readonly snapshot: string | undefined;
}

type Reads = Pick<SnapshotStore, 'readPointer' | 'readManifest'>;

export function readMembers(
  snapshots: Reads,
  registries: readonly string[],
): Promise<MemberState[]> {
  return Promise.all(
    registries.map(async (registry) => ({
      registry,
      snapshot: await snapshots.readPointer(registry),
    })),
  );
}

/** Those that were never published: as long as there are any, nobody knows whose names are whose. */
export function missingMembers(members: readonly MemberState[]): string[] {
  return members.flatMap(({ registry, snapshot }) => (snapshot === undefined ? [registry] : []));
}

/** The revision of a catalog: what it was built from. `<registry>=<manifest>`, parted by commas. */
export function revisionOf(members: readonly MemberState[]): string {
  return members.map(({ registry, snapshot = '' }) => `${registry}=${snapshot}`).join(',');
}

function parseRevision(revision: string | undefined): ReadonlyMap<string, string> {
  const known = new Map<string, string>();
  for (const part of revision?.split(',') ?? []) {
    const [registry, snapshot] = part.split('=');
    if (registry !== undefined && snapshot !== undefined) known.set(registry, snapshot);
  }
  return known;
}

/**
 * The manifests that a catalog is to be built from, and those that it was built from before.
 *
 * @param options.known the revision to build upon; `undefined` to build from nothing
 * @throws SynclineError `snapshot-incomplete`
 */
export function readMemberBlobs(
  snapshots: Reads,
  { members, known }: { members: readonly MemberState[]; known: string | undefined },
): Promise<MemberBlobs[]> {
  const snapshotsBefore = parseRevision(known);
  return Promise.all(
    members.map(async ({ registry, snapshot = '' }) => {
      const manifest = await readManifestBlob(snapshots, { registry, snapshot });
      if (manifest === undefined) {
        throw new SynclineError(
          'snapshot-incomplete',
          `${registry} lacks its manifest ${snapshot}`,
        );
      }
      const before = snapshotsBefore.get(registry);
      if (before === undefined) return { registry, manifest, before: undefined };
      if (before === snapshot) return { registry, manifest, before: manifest };
      return {
        registry,
        manifest,
        before: await readManifestBlob(snapshots, { registry, snapshot: before }),
      };
    }),
  );
}

async function readManifestBlob(
  snapshots: Reads,
  { registry, snapshot }: { registry: string; snapshot: string },
): Promise<Blob | undefined> {
  const bytes = await snapshots.readManifest(registry, snapshot);
  return bytes && { digest: snapshot, bytes };
}
