import { OFFICIAL_META } from '@syncline/rows';
import { generateUnordered } from '../../support/rows/generate.ts';
import type { OfficialRow } from '../../support/rows/row.ts';

export interface ChangedRowsOptions {
  /** How many rows the upstream has generated. */
  readonly count: number;
  readonly seed: number;
  readonly changed: number;
  /** RFC 3339: when they changed. */
  readonly updatedAt: string;
}

/** Returns some of the rows that an upstream generates for the same count and seed, each with another description. */
export function changedRows(options: ChangedRowsOptions): OfficialRow[] {
  const { count, seed, changed, updatedAt } = options;
  const step = Math.floor(count / changed);
  const rows: OfficialRow[] = [];
  let place = 0;
  for (const row of generateUnordered({ count, seed })) {
    place += 1;
    if (place % step !== 0 || rows.length === changed) continue;
    row.server.description = `Changed: ${row.server.description}`.slice(0, 100);
    row._meta[OFFICIAL_META].updatedAt = updatedAt;
    rows.push(row);
  }
  return rows;
}
