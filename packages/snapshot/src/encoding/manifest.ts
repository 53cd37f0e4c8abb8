import { SynclineError } from '@syncline/contract';
import { sha256 } from '@syncline/rows';
import { pack, unpack } from 'msgpackr';
import { z } from 'zod';
import type { Blob } from '../store.ts';
import { type Attachment, attachmentSchema } from './attachment.ts';
import { compress, decompress } from './zstd.ts';

const MANIFEST_SCHEMA_VERSION = 1;
const MAX_MANIFEST_BYTES = 256 * 1024 * 1024;
const DIGEST_BYTES = 32;
const CONTENT_DIGEST_BYTES = 16;

/** One chunk of a snapshot. */
export interface ManifestChunk {
  /** Sort key of its first row. */
  readonly firstKey: string;
  readonly count: number;
  /** SHA-256 of its bytes, in hex. */
  readonly digest: string;
  /** Digest of its content without what is ours: 128 bits of SHA-256, in hex. */
  readonly contentDigest: string;
  /**
   * The newest `updatedAt` in it, epoch milliseconds: what rows without a time of their own have, and
   * what lets readers of changes pass it over.
   */
  readonly newestMs: number;
}

/** A snapshot: what it holds, and where its rows are. */
export interface Manifest {
  readonly rowCount: number;
  /** Rows that the source had, before the filter; what is quarantined is not counted. */
  readonly sourceRowCount: number;
  /** Distinct names. */
  readonly serverCount: number;
  readonly skillCount: number;
  readonly pluginCount: number;
  /** The newest `updatedAt` stamped so far, also on rows that are gone; the next stamp lies after it. */
  readonly newestMs: number;
  readonly chunks: readonly ManifestChunk[];
  /** What the registry has besides servers; absent where it has nothing. */
  readonly attachments?: readonly Attachment[] | undefined;
  /** Digest of the mirror's manifest that this is the view of; absent if this is the mirror itself. */
  readonly mirror?: string | undefined;
  /** Digest of the filter that its rows have passed; absent if there was none, and in manifests of older versions. */
  readonly filterHash?: string | undefined;
}

/** The digests of all blobs that a snapshot needs besides its manifest. */
export function blobDigests({ chunks, attachments = [] }: Manifest): string[] {
  return [...chunks, ...attachments].map(({ digest }) => digest);
}

const count = z.int().nonnegative();
/** Columns, not rows: they compress better, and digests take no more than their bytes. */
const manifestSchema = z.object({
  v: z.literal(MANIFEST_SCHEMA_VERSION),
  rowCount: count,
  sourceRowCount: count,
  serverCount: count,
  skillCount: count,
  pluginCount: count,
  newestMs: z.number(),
  firstKeys: z.array(z.string()),
  counts: z.array(count),
  digests: z.instanceof(Uint8Array),
  contentDigests: z.instanceof(Uint8Array),
  newest: z.array(z.number()),
  attachments: z.array(attachmentSchema).optional(),
  mirror: z.string().optional(),
  filterHash: z.string().optional(),
});

/** Whether the columns are as long as each other. */
function isAligned({ firstKeys, ...columns }: z.infer<typeof manifestSchema>): boolean {
  const { length } = firstKeys;
  return (
    columns.counts.length === length &&
    columns.newest.length === length &&
    columns.digests.length === length * DIGEST_BYTES &&
    columns.contentDigests.length === length * CONTENT_DIGEST_BYTES
  );
}

/** The compact binary form of a manifest, under its SHA-256. */
export function encodeManifest(manifest: Manifest): Blob {
  const { chunks, ...totals } = manifest;
  const packed = pack({
    v: MANIFEST_SCHEMA_VERSION,
    ...totals,
    firstKeys: chunks.map(({ firstKey }) => firstKey),
    counts: chunks.map(({ count: rows }) => rows),
    digests: Buffer.from(chunks.map(({ digest }) => digest).join(''), 'hex'),
    contentDigests: Buffer.from(chunks.map(({ contentDigest }) => contentDigest).join(''), 'hex'),
    newest: chunks.map(({ newestMs }) => newestMs),
  });
  const bytes = compress(packed);
  return { digest: sha256(bytes), bytes };
}

/**
 * Reads a manifest back, and verifies that it is what its digest names.
 *
 * @throws SynclineError `snapshot-corrupt`, also for a schema version that this build does not know
 */
export function decodeManifest({ digest, bytes }: Blob): Manifest {
  if (sha256(bytes) !== digest) {
    throw new SynclineError('snapshot-corrupt', `manifest ${digest} does not match its digest`);
  }
  const parsed = manifestSchema.safeParse(unpackBytes(bytes));
  if (!parsed.success || !isAligned(parsed.data)) {
    throw new SynclineError(
      'snapshot-corrupt',
      `manifest ${digest} has a shape that is not known`,
      {
        expected: `a manifest of schema version ${MANIFEST_SCHEMA_VERSION}`,
        cause: parsed.error,
      },
    );
  }
  const { v: _v, firstKeys, counts, digests, contentDigests, newest, ...totals } = parsed.data;
  return {
    ...totals,
    chunks: firstKeys.map((firstKey, index) => ({
      firstKey,
      count: counts[index] ?? 0,
      digest: hexSlice(digests, { index, size: DIGEST_BYTES }),
      contentDigest: hexSlice(contentDigests, { index, size: CONTENT_DIGEST_BYTES }),
      newestMs: newest[index] ?? 0,
    })),
  };
}

/** `undefined`, which is no manifest either, where the bytes are of another make. */
function unpackBytes(bytes: Uint8Array): unknown {
  try {
    return unpack(decompress(bytes, { maxBytes: MAX_MANIFEST_BYTES }));
  } catch {
    return undefined;
  }
}

function hexSlice(bytes: Uint8Array, { index, size }: { index: number; size: number }): string {
  const start = index * size;
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, size).toString('hex');
}
