import { z } from 'zod';
import { registryNameSchema } from '../config/names.ts';
import { registryConfigSchema } from '../config/registry.ts';
import { errorCodeSchema } from '../errors/error-table.ts';
import { diffSchema, quarantinedRowSchema } from '../state/run.ts';
import { PREVIEW_SAMPLE_LIMIT } from './limits.ts';

export const previewSampleLimitSchema = z.int().min(1).max(PREVIEW_SAMPLE_LIMIT);

const previewOptions = {
  v: z.literal(1),
  samples: previewSampleLimitSchema.default(PREVIEW_SAMPLE_LIMIT),
  /** When the caller stops waiting for the answer, in epoch milliseconds of Redis's clock. */
  deadlineAtMs: z.number(),
};

/**
 * The payload of a job in the queue `registry-preview`. It names a registry of the current config, or contains a config
 * entry with absolute paths.
 */
export const previewJobSchema = z.union([
  z.strictObject({ ...previewOptions, registry: registryNameSchema }),
  z.strictObject({ ...previewOptions, config: registryConfigSchema }),
]);
export type PreviewJob = z.output<typeof previewJobSchema>;
export type PreviewJobInput = z.input<typeof previewJobSchema>;

const count = z.int().nonnegative();

/** What a sync of a registry would do. A preview publishes nothing. */
export const previewSchema = z.object({
  registry: z.string(),
  state: z.enum(['would-publish', 'would-hold', 'unchanged']),
  /** Why the registry is not synced now. */
  paused: z.enum(['suspended-by-config', 'suspended', 'pinned']).nullable(),
  guard: z.object({
    verdict: z.enum(['pass', 'shrink', 'empty']),
    /** If the filter changed, the guard compares the row counts before the filter. */
    compared: z.enum(['rowCount', 'sourceRowCount']),
    countBefore: count,
    countAfter: count,
    /** Negative if the row count grows. */
    lostPercent: z.number(),
    maxShrinkPercent: z.number(),
    allowEmpty: z.boolean(),
  }),
  /** The number of rows that a sync would serve. */
  rowCount: count,
  /** The number of rows that Syncline serves now; 0 before the first publication. */
  rowCountBefore: count,
  /** The number of valid rows of the source, before the filter. */
  sourceRowCount: count,
  serverCount: count,
  skillCount: count,
  pluginCount: count,
  diff: diffSchema,
  /** For each updated row that `diff` names: the fields that differ, such as `server.description`. */
  changes: z.array(z.object({ row: z.string(), fields: z.array(z.string()) })),
  quarantined: z.object({ count, samples: z.array(quarantinedRowSchema) }),
  revision: z.string().optional(),
  upstream: z.object({ requests: z.int(), bytes: z.int() }),
  startedAt: z.iso.datetime(),
  durationMs: count,
});
export type Preview = z.infer<typeof previewSchema>;

/** The answer of a worker. */
export const previewAnswerSchema = z.union([
  z.object({ preview: previewSchema }),
  z.object({ error: z.object({ code: errorCodeSchema, message: z.string() }) }),
]);
export type PreviewAnswer = z.infer<typeof previewAnswerSchema>;
