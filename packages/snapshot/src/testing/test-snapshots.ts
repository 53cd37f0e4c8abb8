import type { Lease } from '@syncline/contract';
import { type ReadRow, readRow } from '@syncline/rows';
import { type BuiltSnapshot, SnapshotBuilder } from '../build.ts';
import { type AttachmentDraft, blobDigests, type Manifest } from '../encoding/manifest.ts';
import { type Publication, readChunkBlobs, type SnapshotStore } from '../store.ts';

/** Parses rows like a source, and sorts them. */
export function ingested(rows: readonly object[]): ReadRow[] {
  return rows
    .map((row, index) => {
      const reading = readRow(row, index);
      if (!reading.ok) throw new Error(`${reading.label}: ${reading.reason}`);
      return reading.row;
    })
    .sort((one, other) => (one.key < other.key ? -1 : 1));
}

/** Builds a snapshot of rows without storing it. */
export async function build(
  rows: readonly object[],
  options: {
    nowMs: number;
    previous?: Manifest | undefined;
    attachments?: readonly AttachmentDraft[];
    readChunks?: Parameters<SnapshotBuilder['finish']>[0]['readChunks'];
  },
): Promise<BuiltSnapshot> {
  const { previous, nowMs, attachments = [] } = options;
  const builder = new SnapshotBuilder({ previous });
  builder.push(ingested(rows));
  return builder.finish({
    nowMs,
    sourceRowCount: rows.length,
    skillCount: 0,
    pluginCount: 0,
    attachments,
    readChunks: options.readChunks ?? (async () => []),
  });
}

/** Builds a snapshot on top of the previous one, stores it, and returns it with its publication. */
export async function storeRows(
  snapshots: SnapshotStore,
  {
    lease,
    rows,
    nowMs,
    previous,
    attachments = [],
  }: {
    lease: Lease;
    rows: readonly object[];
    nowMs: number;
    previous?: Manifest | undefined;
    attachments?: readonly AttachmentDraft[];
  },
): Promise<BuiltSnapshot & { publication: Publication }> {
  const { registry } = lease;
  const built = await build(rows, {
    nowMs,
    previous,
    attachments,
    readChunks: (digests) => readChunkBlobs(snapshots, { registry, digests }),
  });
  const stored =
    (await snapshots.writeChunks(lease, built.newChunks)) &&
    (await snapshots.writeManifest(lease, built.manifestBlob));
  if (!stored) throw new Error(`the lease of ${registry} is not held`);
  const chunks = blobDigests(built.manifest);
  return { ...built, publication: { manifest: built.manifestBlob.digest, chunks } };
}
