import { type JsonObject, sortKey } from '@syncline/rows';
import type { Blob } from '../store.ts';
import { AS_CHUNK, decodeChunk } from './chunk.ts';

/** A row of a stored chunk, its times filled in. */
export interface DecodedRow {
  readonly key: string;
  /** `{server, _meta}`, as it came. */
  readonly value: JsonObject;
  readonly isLatest: boolean;
  /** Epoch milliseconds. */
  readonly updatedAtMs: number;
  readonly firstSeenAtMs: number;
}

/**
 * The rows of a chunk, in order.
 *
 * @param chunk.newestMs of the chunk, as its manifest has it
 * @throws SynclineError `snapshot-corrupt`
 */
export function decodeRows(blob: Blob, { newestMs }: { newestMs: number }): DecodedRow[] {
  const chunk = decodeChunk(blob);
  const time = (atMs = AS_CHUNK) => (atMs === AS_CHUNK ? newestMs : atMs);
  return chunk.rows.map((value, index) => {
    // Rows were validated before they were stored, and the digest vouches for them since.
    const server = value['server'] as { name: string; version: string };
    return {
      key: sortKey(server),
      value,
      isLatest: chunk.latest[index] === 1,
      updatedAtMs: time(chunk.updatedAt[index]),
      firstSeenAtMs: time(chunk.firstSeenAt[index]),
    };
  });
}
