/**
 * A BullMQ worker with BullMQ's settings as they are, down to how it connects again. For each job it asks
 * an upstream, where the environment names one.
 */
import { type JobPayloadInput, QUEUE_NAME, redisKeys } from '@syncline/contract';
import { Worker } from 'bullmq';
import { z } from 'zod';

const addressSchema = z.object({ host: z.string(), port: z.int() });
const env = z
  .object({
    BARE_CONNECTION: z
      .string()
      .transform((text): unknown => JSON.parse(text))
      .pipe(
        z.union([addressSchema, z.object({ name: z.string(), sentinels: z.array(addressSchema) })]),
      ),
    SYNCLINE_PREFIX: z.string(),
    BARE_CONCURRENCY: z.coerce.number(),
    BARE_UPSTREAM: z.url().optional(),
  })
  .parse(process.env);

const worker = new Worker<JobPayloadInput>(
  QUEUE_NAME,
  async ({ data }) => {
    if (env.BARE_UPSTREAM === undefined) return;
    const response = await fetch(`${env.BARE_UPSTREAM}/${data.registry}?worker=${process.pid}`);
    await response.text();
  },
  {
    connection: env.BARE_CONNECTION,
    prefix: redisKeys(env.SYNCLINE_PREFIX).queuePrefix,
    concurrency: env.BARE_CONCURRENCY,
  },
);
// They come by the hundred while Redis is away, which is what is measured.
worker.on('error', () => {});
await worker.waitUntilReady();
console.log(JSON.stringify({ level: 'info', msg: 'started' }));

process.once('SIGTERM', async () => {
  await worker.close();
  process.exit(0);
});
