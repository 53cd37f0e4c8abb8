import { OFFICIAL_META, SYNCLINE_META } from '@syncline/rows';
import { z } from 'zod';
import type { OfficialRow } from './row.ts';

/** Returns a row without Syncline's own data: the rest must be as it came from the upstream. */
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

/** Returns Syncline's own data about a row that it serves. @throws if it is missing or unknown */
export function ourMeta(row: OfficialRow): z.infer<typeof ourSchema> {
  return ourSchema.parse(row._meta[SYNCLINE_META]);
}
