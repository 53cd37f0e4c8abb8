import { z } from 'zod';
import { targetIdSchema } from '../config/names.ts';
import { JOB_NAME, type RedisKeys } from '../state/keys.ts';
import { type Trigger, triggerSchema } from '../state/reasons.ts';

/**
 * The payload of a job in the queue `registry-sync`. Fixed: `{v: 1, registry, trigger?, force?}`. With `request`, the
 * job is only a wake-up for a request that the control hash already counts. Without `request`, a job with the trigger
 * `manual` or `webhook` is a new request, which starts when a worker takes the job.
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

/** The part of an ioredis transaction that counts a request. */
interface Transaction {
  hset(key: string, field: string, value: string): unknown;
  hincrby(key: string, field: string, increment: number): unknown;
  exec(): Promise<[error: Error | null, result: unknown][] | null>;
}

/**
 * Counts a request in the control hash of its registry. From then on, Syncline handles the request even if its wake-up
 * job gets lost.
 *
 * @returns the number of the request
 */
export async function countRequest(
  { redis, keys }: { redis: { multi(): Transaction }; keys: RedisKeys },
  { registry, force = false }: { registry: string; force?: boolean },
): Promise<number> {
  const key = keys.control(registry);
  const change = redis.multi();
  if (force) change.hset(key, 'force', '1');
  change.hincrby(key, 'requested', 1);
  const replies = await change.exec();
  const [error, count] = replies?.at(-1) ?? [new Error('Redis gave no answer'), 0];
  if (error !== null) throw error;
  return Number(count);
}

/** A request that the control hash counts. */
export interface CountedRequest {
  readonly registry: string;
  readonly request: number;
  /** Default: `manual`. */
  readonly trigger?: Trigger;
  readonly force?: boolean;
}

/** Returns the wake-up job of a request for BullMQ. The job id prevents a second wake-up in the queue. */
export function requestJob({ registry, request, trigger = 'manual', force }: CountedRequest): {
  name: string;
  data: JobPayloadInput;
  opts: { jobId: string; attempts: number; removeOnComplete: boolean; removeOnFail: boolean };
} {
  return {
    name: JOB_NAME,
    data: { v: 1, registry, trigger, ...(force === undefined ? {} : { force }), request },
    opts: {
      jobId: `request-${registry}-${request}`,
      attempts: 1,
      removeOnComplete: true,
      // A failed job with this id would prevent the sweep from adding the job again.
      removeOnFail: true,
    },
  };
}
