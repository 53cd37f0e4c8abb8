import { sha256 } from '@syncline/contract';
import { MAX_ATTACHMENT_BYTES } from '@syncline/rows';
import { pack, unpack } from 'msgpackr';
import { z } from 'zod';
import type { Blob } from '../store.ts';
import { decodeBlob, encodeBlob, parseJsonContent } from './chunk.ts';

const MANIFEST_SCHEMA_VERSION = 1;
const MAX_MANIFEST_BYTES = 256 * 1024 * 1024;
const DIGEST_BYTES = 32;
const CONTENT_DIGEST_BYTES = 16;

/** Earlier versions stored up to 32 Mi characters of JSON, and a character takes at most three bytes. */
const MAX_STORED_ATTACHMENT_BYTES = 3 * MAX_ATTACHMENT_BYTES;

const attachmentSchema = z.object({
  kind: z.enum(['skills', 'plugins']),
  /** SHA-256 of the blob's bytes, in hex. */
  digest: z.string().regex(/^[0-9a-f]{64}$/),
  /** 128 bits of SHA-256 over the JSON, in hex. Unlike `digest`, this does not depend on the compression. */
  contentDigest: z.string(),
  count: z.int().nonnegative(),
});

/** The skills or plugins of a registry. The chunks include their blob. */
export type Attachment = Readonly<z.infer<typeof attachmentSchema>>;
export type AttachmentKind = Attachment['kind'];

/** An attachment that may equal an attachment of the previous snapshot. */
export interface AttachmentDraft {
  readonly kind: AttachmentKind;
  /** The JSON of each item, in the order of the source. */
  readonly items: readonly string[];
}

/** One chunk of a snapshot. */
export interface ManifestChunk {
  /** The sort key of the first row. */
  readonly firstKey: string;
  readonly count: number;
  /** SHA-256 of the chunk's bytes, in hex. */
  readonly digest: string;
  /** 128 bits of SHA-256, in hex, over the rows as the upstream gave them. */
  readonly contentDigest: string;
  /**
   * The newest `updatedAt` in the chunk, in epoch milliseconds. Rows without their own time have this time. Readers of
   * changes skip the chunk if this time is too old.
   */
  readonly newestMs: number;
  /** The size of the rows in bytes, uncompressed. Unknown for a chunk of an earlier version. */
  readonly bytes?: number | undefined;
}

const count = z.int().nonnegative();

const totalsSchema = z.object({
  rowCount: count,
  /** The number of valid rows of the source, before the filter. */
  sourceRowCount: count,
  /** The number of distinct names. */
  serverCount: count,
  skillCount: count,
  pluginCount: count,
  /** The newest `updatedAt` so far, including removed rows. The next change gets a later time. */
  newestMs: z.number(),
  attachments: z.array(attachmentSchema).optional(),
  /** The digest of the mirror's manifest, if this snapshot is a view. Absent for a mirror. */
  mirror: z.string().optional(),
  /** The digest of the rows' filter. Absent without a filter, and in manifests of older versions. */
  filterHash: z.string().optional(),
});

/** A snapshot: its totals, and its chunks of rows. */
export interface Manifest extends Readonly<z.infer<typeof totalsSchema>> {
  readonly chunks: readonly ManifestChunk[];
}

export const EMPTY_MANIFEST: Manifest = {
  rowCount: 0,
  sourceRowCount: 0,
  serverCount: 0,
  skillCount: 0,
  pluginCount: 0,
  newestMs: 0,
  chunks: [],
};

/** Returns the digests of all blobs that a snapshot needs besides its manifest. */
export function blobDigests({ chunks, attachments = [] }: Manifest): string[] {
  return [...chunks, ...attachments].map(({ digest }) => digest);
}

/** Stores columns instead of rows, because columns compress better. Digests are bytes instead of text. */
const manifestSchema = totalsSchema
  .extend({
    v: z.literal(MANIFEST_SCHEMA_VERSION),
    firstKeys: z.array(z.string()),
    counts: z.array(count),
    digests: z.instanceof(Uint8Array),
    contentDigests: z.instanceof(Uint8Array),
    newest: z.array(z.number()),
    /** 0 if unknown. Absent in manifests of earlier versions. */
    sizes: z.array(count).optional(),
  })
  .refine(
    ({ firstKeys: { length }, ...columns }) =>
      columns.counts.length === length &&
      columns.newest.length === length &&
      (columns.sizes ?? columns.newest).length === length &&
      columns.digests.length === length * DIGEST_BYTES &&
      columns.contentDigests.length === length * CONTENT_DIGEST_BYTES,
    { error: 'the columns differ in length' },
  );

export function encodeManifest({ chunks, ...totals }: Manifest): Blob {
  return encodeBlob(
    pack({
      v: MANIFEST_SCHEMA_VERSION,
      ...totals,
      firstKeys: chunks.map(({ firstKey }) => firstKey),
      counts: chunks.map(({ count: rows }) => rows),
      digests: Buffer.from(chunks.map(({ digest }) => digest).join(''), 'hex'),
      contentDigests: Buffer.from(chunks.map(({ contentDigest }) => contentDigest).join(''), 'hex'),
      newest: chunks.map(({ newestMs }) => newestMs),
      sizes: chunks.map(({ bytes = 0 }) => bytes),
    }),
  );
}

/** Decodes a manifest. @throws SynclineError `snapshot-corrupt`, also for an unknown schema version */
export function decodeManifest(blob: Blob): Manifest {
  const {
    v: _v,
    firstKeys,
    counts,
    digests,
    contentDigests,
    newest,
    sizes,
    ...totals
  } = decodeBlob(blob, {
    what: 'manifest',
    schema: manifestSchema,
    maxBytes: MAX_MANIFEST_BYTES,
    parse: unpack,
  });
  return {
    ...totals,
    chunks: firstKeys.map((firstKey, index) => ({
      firstKey,
      count: counts[index] ?? 0,
      digest: hexSlice(digests, { index, size: DIGEST_BYTES }),
      contentDigest: hexSlice(contentDigests, { index, size: CONTENT_DIGEST_BYTES }),
      newestMs: newest[index] ?? 0,
      ...(sizes?.[index] ? { bytes: sizes[index] } : {}),
    })),
  };
}

function hexSlice(bytes: Uint8Array, { index, size }: { index: number; size: number }): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + index * size, size).toString('hex');
}

/** Returns the attachments and the new blobs. Reuses stored attachments and equal ones of the previous snapshot. */
export function attach(
  drafts: readonly (AttachmentDraft | Attachment)[],
  previous: readonly Attachment[] = [],
): { attachments: Attachment[]; newBlobs: Blob[] } {
  const newBlobs: Blob[] = [];
  const attachments = drafts.flatMap((draft): Attachment | [] => {
    if ('digest' in draft) return draft;
    const { kind, items } = draft;
    if (items.length === 0) return [];
    const json = `[${items.join(',')}]`;
    const contentDigest = sha256(json).slice(0, 32);
    const known = previous.find((it) => it.kind === kind && it.contentDigest === contentDigest);
    if (known !== undefined) return known;
    const blob = encodeBlob(json);
    newBlobs.push(blob);
    return { kind, digest: blob.digest, contentDigest, count: items.length };
  });
  return { attachments, newBlobs };
}

/** Decodes an attachment. @throws SynclineError `snapshot-corrupt` */
export function decodeAttachment(blob: Blob): unknown[] {
  return decodeBlob(blob, {
    what: 'attachment',
    schema: z.array(z.unknown()),
    maxBytes: MAX_STORED_ATTACHMENT_BYTES,
    parse: parseJsonContent,
  });
}
