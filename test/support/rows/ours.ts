import { OFFICIAL_META, SYNCLINE_META } from '@syncline/rows';
import { z } from 'zod';
import type { OfficialRow } from './row.ts';

/** A row without what Syncline says about it itself: what is left must be as it came from upstream. */
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

/** What Syncline says about a row that it serves. @throws where that is not there, or is not known */
export function ourMeta(row: OfficialRow): z.infer<typeof ourSchema> {
  return ourSchema.parse(row._meta[SYNCLINE_META]);
}
