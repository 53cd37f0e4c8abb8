import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { SynclineError } from '@syncline/contract';
import { z } from 'zod';
import type { Blob } from '../ports.ts';
import { sha256 } from './digest.ts';

export const CHUNK_SCHEMA_VERSION = 1;
/** A chunk holds at most 128 rows of at most 1 MiB, so what claims to be larger is not one of ours. */
const MAX_CHUNK_BYTES = 256 * 1024 * 1024;

/**
 * A row as it is stored: its JSON as the upstream gave it, and beside it what is ours, so that two
 * states can be compared without what changes with each of our own runs.
 */
export interface StoredRow {
  /** `{"server":…,"_meta":…}`, as it came. */
  readonly json: string;
  readonly isLatest: boolean;
  /** When our copy of the row last changed, epoch milliseconds. */
  readonly updatedAtMs: number;
  /** When we first saw the row, epoch milliseconds: stands in where upstream gives no `publishedAt`. */
  readonly firstSeenAtMs: number;
}

const chunkSchema = z.object({
  v: z.literal(CHUNK_SCHEMA_VERSION),
  rows: z.array(z.record(z.string(), z.unknown())),
  latest: z.array(z.literal([0, 1])),
  updatedAt: z.array(z.number()),
  firstSeenAt: z.array(z.number()),
});

/** A chunk as it is read: parallel lists, one entry a row. */
export type Chunk = z.infer<typeof chunkSchema>;

type ChunkContent = readonly Pick<StoredRow, 'json' | 'isLatest'>[];

function contentText(rows: ChunkContent): string {
  const latest = rows.map(({ isLatest }) => (isLatest ? 1 : 0)).join(',');
  return `"rows":[${rows.map(({ json }) => json).join(',')}],"latest":[${latest}]`;
}

/** The digest of what came from upstream: equal digests mean that no row of the chunk has changed. */
export function chunkContentDigest(rows: ChunkContent): string {
  return sha256(contentText(rows)).slice(0, 32);
}

/** A chunk as it is stored: zstd-compressed JSON under its SHA-256. */
export function encodeChunk(rows: readonly StoredRow[]): Blob {
  const updatedAt = rows.map(({ updatedAtMs }) => updatedAtMs).join(',');
  const firstSeenAt = rows.map(({ firstSeenAtMs }) => firstSeenAtMs).join(',');
  const text = `{"v":${CHUNK_SCHEMA_VERSION},${contentText(rows)},"updatedAt":[${updatedAt}],"firstSeenAt":[${firstSeenAt}]}`;
  const bytes = zstdCompressSync(Buffer.from(text, 'utf8'));
  return { digest: sha256(bytes), bytes };
}

/**
 * Reads a chunk back, and verifies that it is what its digest names.
 *
 * @throws SynclineError `snapshot-corrupt`
 */
export function decodeChunk({ digest, bytes }: Blob): Chunk {
  if (sha256(bytes) !== digest) {
    throw new SynclineError('snapshot-corrupt', `chunk ${digest} does not match its digest`);
  }
  const text = zstdDecompressSync(bytes, { maxOutputLength: MAX_CHUNK_BYTES }).toString('utf8');
  const chunk = chunkSchema.safeParse(JSON.parse(text));
  if (!chunk.success) {
    throw new SynclineError('snapshot-corrupt', `chunk ${digest} has a shape that is not known`, {
      expected: `a chunk of schema version ${CHUNK_SCHEMA_VERSION}`,
      cause: chunk.error,
    });
  }
  return chunk.data;
}
