import { OFFICIAL_META, serverStatusSchema } from '@syncline/rows';
import { z } from 'zod';

/** A row as the official registry serves it, with all its members. */
const officialRowSchema = z.looseObject({
  server: z.looseObject({ name: z.string(), description: z.string(), version: z.string() }),
  _meta: z.looseObject({
    [OFFICIAL_META]: z.looseObject({
      status: serverStatusSchema,
      publishedAt: z.string(),
      updatedAt: z.string(),
      isLatest: z.boolean(),
    }),
  }),
});
export type OfficialRow = z.infer<typeof officialRowSchema>;

/** Checks a row without replacing it. A row parsed by zod would have its known members first. */
export function assertOfficialRow(row: unknown): asserts row is OfficialRow {
  officialRowSchema.parse(row);
}

/** Returns `name@version`, which identifies a row within a registry. */
export function rowKey(row: {
  readonly server: { readonly name: string; readonly version: string };
}) {
  return `${row.server.name}@${row.server.version}`;
}
