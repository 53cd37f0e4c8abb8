import { SynclineError } from '@syncline/contract';
import type { Blob, SnapshotStore } from '@syncline/snapshot';
import type { MemberBlobs } from '../ingest/messages.ts';

/** The served snapshot of a member. Lists of members are in order of precedence. */
export interface MemberState {
  readonly registry: string;
  /** The digest of the member's manifest, or `undefined` before its first publication. */
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

/** Returns the revision of a catalog: a comma-separated list of `<registry>=<manifest>`. */
export function revisionOf(members: readonly MemberState[]): string {
  return members.map(({ registry, snapshot = '' }) => `${registry}=${snapshot}`).join(',');
}

/**
 * Reads the members' manifests for the next build of a catalog, and their manifests at the last build.
 *
 * @param options.known the revision of the last build; `undefined` to build from nothing
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
        const message = `the store has no manifest ${snapshot} for ${registry}`;
        throw new SynclineError('snapshot-incomplete', message);
      }
      const part = parts.find((it) => it.startsWith(`${registry}=`));
      const digest = part?.slice(registry.length + 1);
      if (digest === undefined) return { registry, manifest, before: undefined };
      return { registry, manifest, before: digest === snapshot ? manifest : await read(digest) };
    }),
  );
}
