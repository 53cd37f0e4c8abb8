import { z } from 'zod';
import { errorCodeSchema } from '../errors/error-table.ts';
import { outcomeSchema, reasonSchema, triggerSchema } from './reasons.ts';
import { jsonTextSchema } from './status.ts';

/** How many rows a run names for each kind of change. The counts are always exact. */
export const DIFF_SAMPLE_LIMIT = 50;
/** How many quarantined rows a run names, each with its reason. */
export const QUARANTINE_SAMPLE_LIMIT = 20;

/** What a run changed: exact counts, and the first rows of each kind as `name@version`. */
export const diffSchema = z.object({
  added: z.int(),
  updated: z.int(),
  removed: z.int(),
  samples: z.object({
    added: z.array(z.string()),
    updated: z.array(z.string()),
    removed: z.array(z.string()),
  }),
});
export type Diff = z.infer<typeof diffSchema>;

/** An invalid row that the run skipped, and the reason. */
export const quarantinedRowSchema = z.object({
  /** `name@version` as far as it is readable, else the row's position, such as `row 17`. */
  row: z.string(),
  reason: z.string(),
});
export type QuarantinedRow = z.infer<typeof quarantinedRowSchema>;

/** One run in the run log. */
export const runSchema = z.object({
  /** `<registry>:<term>` */
  id: z.string(),
  registry: z.string(),
  term: z.string(),
  owner: z.string(),
  trigger: triggerSchema,
  reason: reasonSchema.optional(),
  outcome: outcomeSchema,
  startedAt: z.iso.datetime(),
  finishedAt: z.iso.datetime(),
  durationMs: z.int().nonnegative(),
  /** The last request that this run handled, or 0 without an open request. */
  handledRequest: z.int().nonnegative(),
  upstream: z.object({ requests: z.int(), bytes: z.int() }),
  snapshot: z.string().optional(),
  revision: z.string().optional(),
  rowCount: z.int().optional(),
  diff: diffSchema.optional(),
  quarantined: z.object({ count: z.int(), samples: z.array(quarantinedRowSchema) }).optional(),
  error: z
    .object({
      code: errorCodeSchema,
      message: z.string(),
      nextTryAt: z.iso.datetime().optional(),
    })
    .optional(),
});
export type Run = z.infer<typeof runSchema>;

const runTextSchema = jsonTextSchema.pipe(runSchema);

/** Returns the run of an entry in the run log, or `undefined` if the entry is invalid or has an unknown format. */
export function parseRunEntry(fields: readonly string[]): Run | undefined {
  return runTextSchema.safeParse(fields[fields.indexOf('run') + 1]).data;
}
