import type { Lease } from '@syncline/contract';
import type { IngestedRow } from '@syncline/rows';
import { readRow } from '@syncline/rows/parse';
import { type BuiltSnapshot, SnapshotBuilder } from '../build.ts';
import type { AttachmentDraft } from '../encoding/attachment.ts';
import { blobDigests, type Manifest } from '../encoding/manifest.ts';
import { readChunkBlobs } from '../reader.ts';
import type { Publication, SnapshotStore } from '../store.ts';

/** Rows as a source gives them, read, and in order. */
export function ingested(rows: readonly object[]): IngestedRow[] {
  return rows
    .map((row, index) => {
      const reading = readRow(row, index);
      if (!reading.ok) throw new Error(`${reading.label}: ${reading.reason}`);
      return reading.row;
    })
    .sort((one, other) => (one.key < other.key ? -1 : 1));
}

/** A snapshot of these rows, built but not stored. */
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

/** Builds a snapshot on top of what is stored, stores it, and says how it is published. */
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
