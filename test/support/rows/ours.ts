import { OFFICIAL_META, SYNCLINE_META } from '@syncline/rows';
import { z } from 'zod';
import type { OfficialRow } from './row.ts';

/** Returns a row without Syncline's own data. What remains must equal the row of the upstream. */
export function withoutOurs({ _meta, ...row }: OfficialRow): object {
  const { [SYNCLINE_META]: _ours, [OFFICIAL_META]: official, ...others } = _meta;
  const { updatedAt: _updatedAt, ...kept } = official;
  return { ...row, _meta: { ...others, [OFFICIAL_META]: kept } };
}

const ourSchema = z.strictObject({
  source: z.string(),
  upstreamUpdatedAt: z.string().optional(),
  syncedAt: z.iso.datetime().optional(),
  stale: z.boolean(),
});

/**
 * Returns Syncline's own data in a served row. @throws if the data is missing or has unknown
 * members
 */
export function ourMeta(row: OfficialRow): z.infer<typeof ourSchema> {
  return ourSchema.parse(row._meta[SYNCLINE_META]);
}
