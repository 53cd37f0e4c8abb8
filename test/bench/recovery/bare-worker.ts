/**
 * A BullMQ worker with BullMQ's default settings, also for reconnecting. For each job it sends a request to an
 * upstream, if the environment names one.
 */
import {
  type JobPayloadInput,
  parseRedisUrl,
  QUEUE_NAME,
  type RedisTarget,
  redisKeys,
  redisUrlSchema,
} from '@syncline/contract';
import { Worker } from 'bullmq';
import { z } from 'zod';

const env = z
  .object({
    REDIS_URL: redisUrlSchema,
    SYNCLINE_PREFIX: z.string(),
    BARE_CONCURRENCY: z.coerce.number(),
    BARE_UPSTREAM: z.url().optional(),
  })
  .parse(process.env);

/** As options, not as a connection, so that BullMQ makes and restores it. */
function connectionOf(target: RedisTarget) {
  if (target.kind === 'sentinel') {
    return { name: target.masterName, sentinels: [...target.sentinels] };
  }
  const { hostname, port } = new URL(target.url);
  return { host: hostname, port: Number(port) };
}

const worker = new Worker<JobPayloadInput>(
  QUEUE_NAME,
  async ({ data }) => {
    if (env.BARE_UPSTREAM === undefined) return;
    const response = await fetch(`${env.BARE_UPSTREAM}/${data.registry}?worker=${process.pid}`);
    await response.text();
  },
  {
    connection: connectionOf(parseRedisUrl(env.REDIS_URL)),
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
