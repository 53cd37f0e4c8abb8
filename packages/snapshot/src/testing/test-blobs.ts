import { type Lease, sha256 } from '@syncline/contract';
import type { Blob, Publication, SnapshotStore } from '../store.ts';

/** Returns a blob that contains a text. */
export function testBlob(text: string): Blob {
  const bytes = Buffer.from(text, 'utf8');
  return { digest: sha256(bytes), bytes };
}

/** Stores a manifest and chunks with arbitrary content, ready for publication. */
export async function storeSnapshot(
  snapshots: SnapshotStore,
  {
    lease,
    name,
    chunks = [`${name}-1`, `${name}-2`],
  }: {
    lease: Lease;
    /** Equal names give equal digests. */
    name: string;
    chunks?: readonly string[];
  },
): Promise<Publication> {
  const manifest = testBlob(`manifest ${name}`);
  const blobs = chunks.map((chunk) => testBlob(`chunk ${chunk}`));
  const stored =
    (await snapshots.writeChunks(lease, blobs)) && (await snapshots.writeManifest(lease, manifest));
  if (!stored) throw new Error(`the lease of ${lease.registry} is not held`);
  return { manifest: manifest.digest, chunks: blobs.map(({ digest }) => digest) };
}
