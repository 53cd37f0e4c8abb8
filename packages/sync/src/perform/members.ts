import { SynclineError } from '@syncline/contract';
import type { Blob, SnapshotStore } from '@syncline/snapshot';
import type { MemberBlobs } from '../ingest/messages.ts';

/** What each registry of a catalog serves now, in order of precedence. */
export interface MemberState {
  readonly registry: string;
  /** Digest of its manifest; `undefined` if it was never published. */
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

/** Returns the revision of a catalog: what it was built from, as `<registry>=<manifest>` with commas between. */
export function revisionOf(members: readonly MemberState[]): string {
  return members.map(({ registry, snapshot = '' }) => `${registry}=${snapshot}`).join(',');
}

/**
 * Reads the manifests to build a catalog from, and those that it was built from before.
 *
 * @param options.known the revision to build upon; `undefined` to build from nothing
 * @throws SynclineError `snapshot-incomplete`
 */
export function readMemberBlobs(
  snapshots: Reads,
  { members, known = '' }: { members: readonly MemberState[]; known: string | undefined },
): Promise<MemberBlobs[]> {
  const parts = known.split(',');
  return Promise.all(
    members.map(async ({ registry, snapshot = '' }) => {
      const read = async (digest: string): Promise<Blob | undefined> => {
        const bytes = await snapshots.readManifest(registry, digest);
        return bytes && { digest, bytes };
      };
      const manifest = await read(snapshot);
      if (manifest === undefined) {
        const message = `${registry} lacks its manifest ${snapshot}`;
        throw new SynclineError('snapshot-incomplete', message);
      }
      const part = parts.find((it) => it.startsWith(`${registry}=`));
      const digest = part?.slice(registry.length + 1);
      if (digest === undefined) return { registry, manifest, before: undefined };
      return { registry, manifest, before: digest === snapshot ? manifest : await read(digest) };
    }),
  );
}
