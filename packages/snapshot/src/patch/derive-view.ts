import type { Filter } from '@syncline/contract';
import { compileFilter } from '@syncline/rows/filter';
import type { BuiltSnapshot, SnapshotBuilder } from '../build.ts';
import type { Manifest } from '../encoding/manifest.ts';
import type { DecodedRow } from '../encoding/stored-row.ts';
import { ALL_KEYS, changedRanges } from './key-ranges.ts';
import { draftsOf, patch } from './patch.ts';
import { fromUpstream, storedValue } from './row-forms.ts';
import { nameGroups, type ReadChunks, SnapshotRows } from './snapshot-rows.ts';

export interface ViewOptions {
  readonly mirror: Manifest;
  /** The mirror that `previous` shows by the same filter; `undefined` to look at everything. */
  readonly before: Manifest | undefined;
  /** What is served now; `undefined` if nothing is. */
  readonly previous: Manifest | undefined;
  /** Made for the same `previous`. */
  readonly builder: SnapshotBuilder;
  readonly filter: Filter;
  /** Which mirror and filter the manifest is to name. */
  readonly origin: Pick<Manifest, 'mirror' | 'filterHash'>;
  /** Epoch milliseconds by the store's clock. */
  readonly nowMs: number;
  /** Chunks of the mirror and of what is served. Never called twice at once. */
  readonly readChunks: ReadChunks;
}

/** Builds what is served of a mirror: the rows that pass the filter, stamped by when what is served changes. */
export function deriveView(options: ViewOptions): Promise<BuiltSnapshot> {
  const { mirror, before, previous, builder, origin, nowMs, readChunks } = options;
  const passes = compileFilter(options.filter);
  const isKnown = before !== undefined && previous !== undefined;
  return patch<DecodedRow>({
    previous,
    builder,
    ranges: isKnown ? changedRanges(before, mirror) : [ALL_KEYS],
    streams: (range) => [nameGroups(new SnapshotRows(mirror, readChunks).rowsIn(range))],
    rowsOf: ({ groups: [rows = []] }) =>
      draftsOf(rows.filter((row) => passes(storedValue(row).server)).map(fromUpstream)),
    readChunks,
    finish: (totals) => builder.finish({ ...totals, ...restOf(mirror), nowMs, origin }),
  });
}

/** What no filter looks at. */
function restOf({ sourceRowCount, skillCount, pluginCount, attachments }: Manifest) {
  return { sourceRowCount, skillCount, pluginCount, attachments };
}
