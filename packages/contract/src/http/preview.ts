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
  /** When the caller stops waiting for the answer. Epoch milliseconds by Redis's clock. */
  deadlineAtMs: z.number(),
};

/**
 * The payload of a job in the queue `registry-preview`: a registry of the config in force, or one as an
 * entry of a config would have it, its relative paths made absolute.
 */
export const previewJobSchema = z.union([
  z.strictObject({ ...previewOptions, registry: registryNameSchema }),
  z.strictObject({ ...previewOptions, config: registryConfigSchema }),
]);
export type PreviewJob = z.output<typeof previewJobSchema>;
export type PreviewJobInput = z.input<typeof previewJobSchema>;

const count = z.int().nonnegative();

/** What a sync of a registry would do. Nothing was written to find it out. */
export const previewSchema = z.object({
  registry: z.string(),
  state: z.enum(['would-publish', 'would-hold', 'unchanged']),
  /** What keeps the registry from being synced at all, for now. */
  paused: z.enum(['suspended-by-config', 'suspended', 'pinned']).nullable(),
  guard: z.object({
    verdict: z.enum(['pass', 'shrink', 'empty']),
    /** With a new filter, the rows before the filter are compared. */
    compared: z.enum(['rowCount', 'sourceRowCount']),
    countBefore: count,
    countAfter: count,
    /** Negative if there are more than before. */
    lostPercent: z.number(),
    maxShrinkPercent: z.number(),
    allowEmpty: z.boolean(),
  }),
  /** Rows that would be served. */
  rowCount: count,
  /** Rows that are served; 0 if nothing was ever published. */
  rowCountBefore: count,
  /** Valid rows of the source, before the filter. */
  sourceRowCount: count,
  serverCount: count,
  skillCount: count,
  pluginCount: count,
  diff: diffSchema,
  /** For each updated row that `diff` names, the fields that differ: `server.description` and the like. */
  changes: z.array(z.object({ row: z.string(), fields: z.array(z.string()) })),
  quarantined: z.object({ count, samples: z.array(quarantinedRowSchema) }),
  revision: z.string().optional(),
  upstream: z.object({ requests: z.int(), bytes: z.int() }),
  startedAt: z.iso.datetime(),
  durationMs: count,
});
export type Preview = z.infer<typeof previewSchema>;

/** What a worker answers. */
export const previewAnswerSchema = z.union([
  z.object({ preview: previewSchema }),
  z.object({ error: z.object({ code: errorCodeSchema, message: z.string() }) }),
]);
export type PreviewAnswer = z.infer<typeof previewAnswerSchema>;
