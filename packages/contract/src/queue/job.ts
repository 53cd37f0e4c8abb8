import { z } from 'zod';
import { targetIdSchema } from '../config/names.ts';
import { triggerSchema } from '../state/reasons.ts';

/**
 * The payload of a job in the queue `registry-sync`. Fixed: `{v: 1, registry, trigger?, force?}`.
 * A job without `request` whose trigger is `manual` or `webhook` is itself a request, made at the moment
 * a worker takes it; with `request` it is only a wake-up for a request that the control hash already counts.
 */
export const jobPayloadSchema = z.object({
  v: z.literal(1),
  registry: targetIdSchema,
  trigger: triggerSchema.default('manual'),
  force: z.boolean().default(false),
  request: z.int().positive().optional(),
});
export type JobPayload = z.infer<typeof jobPayloadSchema>;
export type JobPayloadInput = z.input<typeof jobPayloadSchema>;
