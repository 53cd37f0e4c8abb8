import { type IngestedRow, type RowKey, sortKey } from '@syncline/rows';
import type { BuiltSnapshot, SnapshotBuilder } from '../build.ts';
import type { Manifest } from '../encoding/manifest.ts';
import {
  ALL_KEYS,
  chunkRanges,
  isIn,
  joinRanges,
  type KeyRange,
  widenToNames,
} from './key-ranges.ts';
import { draftsOf, patch } from './patch.ts';
import { fromUpstream } from './row-forms.ts';
import { nameGroups, type ReadChunks } from './snapshot-rows.ts';

export interface DeltaOptions {
  /** The mirror that the delta applies to. */
  readonly previous: Manifest;
  /** Made for the same `previous`. */
  readonly builder: SnapshotBuilder;
  /** Rows that are new or different, sorted by key, each key once. */
  readonly upserts: readonly IngestedRow[];
  /** Keys of rows that are gone. A row that is an upsert too stays. */
  readonly removals: readonly RowKey[];
  /** Epoch milliseconds by the store's clock. */
  readonly nowMs: number;
  /** Never called twice at once. */
  readonly readChunks: ReadChunks;
}

/** Builds the mirror after a delta. Only the chunks that the delta touches are read. */
export function applyDelta(options: DeltaOptions): Promise<BuiltSnapshot> {
  const { previous, builder, upserts, nowMs, readChunks } = options;
  const removed = new Set(options.removals.map(sortKey));
  const keys = [...upserts.map(({ key }) => key), ...removed].sort();
  const { skillCount, pluginCount, attachments } = previous;
  return patch<IngestedRow>({
    previous,
    builder,
    ranges: rangesOf(previous, keys),
    streams: (range) => [nameGroups([upserts.filter(({ key }) => isIn(range, key))])],
    rowsOf: ({ groups: [changed = []], last }) => {
      const isReplaced = new Set(changed.map(({ key }) => key)).union(removed);
      const kept = last.filter(({ key }) => !isReplaced.has(key)).map(fromUpstream);
      return draftsOf([...kept, ...changed].sort((one, other) => (one.key < other.key ? -1 : 1)));
    },
    readChunks,
    finish: (totals) => builder.finish({ ...totals, skillCount, pluginCount, attachments, nowMs }),
  });
}

/** The ranges of the chunks that the keys lie in. @param keys sorted */
function rangesOf(previous: Manifest, keys: readonly string[]): KeyRange[] {
  const pieces = previous.chunks.length === 0 ? [ALL_KEYS] : chunkRanges(previous);
  let next = 0;
  const touched = pieces.filter((piece) => {
    const first = next;
    while (next < keys.length && isIn(piece, keys[next] ?? '')) next += 1;
    return next > first;
  });
  return joinRanges(touched.map(widenToNames));
}
