import { batchesOf } from '@syncline/contract';
import { nameOfKey } from '@syncline/rows';
import type { Manifest, ManifestChunk } from '../encoding/manifest.ts';
import { type DecodedRow, decodeRows } from '../encoding/stored-row.ts';
import type { Blob } from '../store.ts';
import { chunkRanges, isIn, type KeyRange, overlaps } from './key-ranges.ts';

/** @throws SynclineError `snapshot-incomplete` */
export type ReadChunks = (digests: readonly string[]) => Promise<Blob[]>;

/** Each round trip brings so many: few enough for the memory, enough not to wait for each. */
const CHUNKS_AT_ONCE = 32;

/** The rows of one snapshot, read as they are asked for. */
export class SnapshotRows {
  readonly #manifest: Manifest;
  readonly #read: ReadChunks;

  constructor(manifest: Manifest, read: ReadChunks) {
    this.#manifest = manifest;
    this.#read = read;
  }

  /** The rows of a range, in order. */
  async *rowsIn(range: KeyRange): AsyncGenerator<readonly DecodedRow[]> {
    const pieces = chunkRanges(this.#manifest).filter((piece) => overlaps(piece, range));
    const chunks = pieces.map(({ chunk }) => chunk);
    for (const batch of batchesOf(chunks, CHUNKS_AT_ONCE)) {
      const blobs = await this.#read(batch.map(({ digest }) => digest));
      for (const [index, chunk] of batch.entries()) yield rowsIn(blobs[index], chunk, range);
    }
  }

  /** Those of one chunk. */
  async rowsOf(chunk: ManifestChunk, range: KeyRange): Promise<readonly DecodedRow[]> {
    const [blob] = await this.#read([chunk.digest]);
    return rowsIn(blob, chunk, range);
  }
}

function rowsIn(blob: Blob | undefined, chunk: ManifestChunk, range: KeyRange): DecodedRow[] {
  if (blob === undefined) return [];
  return decodeRows(blob, chunk).filter(({ key }) => isIn(range, key));
}

/** All versions of a name together, whatever chunks they lie in. */
export async function* nameGroups<Row extends Pick<DecodedRow, 'key'>>(
  batches: AsyncIterable<readonly Row[]> | Iterable<readonly Row[]>,
): AsyncGenerator<readonly Row[]> {
  let group: Row[] = [];
  let name: string | undefined;
  for await (const rows of batches) {
    for (const row of rows) {
      const rowName = nameOfKey(row.key);
      if (rowName !== name && group.length > 0) {
        yield group;
        group = [];
      }
      name = rowName;
      group.push(row);
    }
  }
  if (group.length > 0) yield group;
}
