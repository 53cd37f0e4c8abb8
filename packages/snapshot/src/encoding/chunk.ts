import { SynclineError } from '@syncline/contract';
import { type JsonObject, sha256 } from '@syncline/rows';
import { z } from 'zod';
import type { Blob } from '../store.ts';
import { compress, decompress } from './zstd.ts';

const CHUNK_SCHEMA_VERSION = 1;
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
  /** When our copy of the row last changed, epoch milliseconds, or {@link AS_CHUNK}. */
  readonly updatedAtMs: number;
  /** When we first saw the row: stands in where upstream gives no `publishedAt`. */
  readonly firstSeenAtMs: number;
}

/**
 * In place of a time: that of the chunk, which the manifest has. So a chunk can be made before the time is
 * known at which its snapshot will be published.
 */
export const AS_CHUNK = 0;

const chunkSchema = z.object({
  v: z.literal(CHUNK_SCHEMA_VERSION),
  // Not z.record: that one copies, and drops a key of `__proto__`.
  rows: z.array(z.custom<JsonObject>((row) => typeof row === 'object' && row !== null)),
  latest: z.array(z.literal([0, 1])),
  updatedAt: z.array(z.number()),
  firstSeenAt: z.array(z.number()),
});

/** A chunk as it is read: parallel lists, one entry a row. */
export type Chunk = z.infer<typeof chunkSchema>;

/** The part of a chunk that came from upstream. */
export interface ChunkContent {
  /** UTF-8. */
  readonly bytes: Buffer;
  /** 128 bits of SHA-256: equal digests mean that no row has changed. */
  readonly digest: string;
}

export function chunkContent(rows: readonly Pick<StoredRow, 'json' | 'isLatest'>[]): ChunkContent {
  const latest = rows.map(({ isLatest }) => (isLatest ? 1 : 0)).join(',');
  const json = rows.map((row) => row.json).join(',');
  const bytes = Buffer.from(`"rows":[${json}],"latest":[${latest}]`, 'utf8');
  return { bytes, digest: sha256(bytes).slice(0, 32) };
}

/** A chunk as it is stored: zstd-compressed JSON under its SHA-256. */
export function encodeChunk(
  content: ChunkContent,
  times: readonly Pick<StoredRow, 'updatedAtMs' | 'firstSeenAtMs'>[],
): Blob {
  const updatedAt = times.map(({ updatedAtMs }) => updatedAtMs).join(',');
  const firstSeenAt = times.map(({ firstSeenAtMs }) => firstSeenAtMs).join(',');
  const bytes = compress(
    Buffer.concat([
      Buffer.from(`{"v":${CHUNK_SCHEMA_VERSION},`),
      content.bytes,
      Buffer.from(`,"updatedAt":[${updatedAt}],"firstSeenAt":[${firstSeenAt}]}`),
    ]),
    // The next levels take half as long again, and save a fiftieth.
    { level: 1 },
  );
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
  const chunk = chunkSchema.safeParse(parseBytes(bytes));
  if (!chunk.success) {
    throw new SynclineError('snapshot-corrupt', `chunk ${digest} has a shape that is not known`, {
      expected: `a chunk of schema version ${CHUNK_SCHEMA_VERSION}`,
      cause: chunk.error,
    });
  }
  return chunk.data;
}

/** `undefined`, which is no chunk either, where the bytes are of another make. */
function parseBytes(bytes: Uint8Array): unknown {
  try {
    const text = decompress(bytes, { maxBytes: MAX_CHUNK_BYTES }).toString('utf8');
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
