/** A BullMQ worker that only makes a number of round trips to Redis for each job. */
import { QUEUE_NAME, redisKeys } from '@syncline/contract';
import { Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { z } from 'zod';

const env = z
  .object({
    REDIS_URL: z.url(),
    SYNCLINE_PREFIX: z.string(),
    SYNCLINE_CONCURRENCY: z.coerce.number(),
    BASELINE_ROUND_TRIPS: z.coerce.number(),
  })
  .parse(process.env);

const connection = new Redis(env.REDIS_URL, { maxRetriesPerRequest: null });
const worker = new Worker(
  QUEUE_NAME,
  async () => {
    for (let trip = 0; trip < env.BASELINE_ROUND_TRIPS; trip += 1) await connection.ping();
  },
  {
    connection,
    prefix: redisKeys(env.SYNCLINE_PREFIX).queuePrefix,
    concurrency: env.SYNCLINE_CONCURRENCY,
  },
);
worker.on('error', (error) => console.error(error));
await worker.waitUntilReady();
console.log(JSON.stringify({ level: 'info', msg: 'started' }));

process.once('SIGTERM', async () => {
  await worker.close();
  connection.disconnect();
  process.exit(0);
});
