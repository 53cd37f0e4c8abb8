import type { Filter } from '@syncline/contract';
import { type StoredRow, toReadRow } from '@syncline/rows';
import { compileFilter } from '@syncline/rows/filter';
import type { BuiltSnapshot } from '../build.ts';
import type { Manifest } from '../encoding/manifest.ts';
import { ALL_KEYS, changedRanges, chunkRanges } from './key-ranges.ts';
import { type PatchTarget, patch, readRows } from './patch.ts';

export interface ViewOptions extends PatchTarget {
  readonly mirror: Manifest;
  /** The mirror of the served view, if the view has the same filter. `undefined` makes the function read everything. */
  readonly before: Manifest | undefined;
  readonly filter: Filter;
  /** The mirror and the filter, for the manifest. */
  readonly origin: Pick<Manifest, 'mirror' | 'filterHash'>;
}

/** Builds the served view of a mirror: the rows that pass the filter. Rows that changed in the view get a new time. */
export function deriveView(options: ViewOptions): Promise<BuiltSnapshot> {
  const { mirror, before, filter, origin, ...target } = options;
  const { sourceRowCount, skillCount, pluginCount, attachments } = mirror;
  const { readChunks, builder } = target;
  const passes = compileFilter(filter);
  const isKnown = before !== undefined && builder.previous !== undefined;
  return patch<StoredRow>({
    ...target,
    ranges: isKnown ? changedRanges(before, mirror) : [ALL_KEYS],
    streams: (range) => [readRows(chunkRanges(mirror), { range, readChunks })],
    rowsOf: (_last, [rows = []]) => rows.filter(({ value }) => passes(value.server)).map(toReadRow),
    totals: { sourceRowCount, skillCount, pluginCount, attachments, origin },
  });
}
