// Requests a sync with plain BullMQ. Libraries for other languages work the same way.
import { Queue, QueueEvents } from 'bullmq';

const registry = process.argv[2] ?? 'examples';
const options = {
  connection: { url: process.env.REDIS_URL ?? 'redis://127.0.0.1:6379' },
  prefix: `{${process.env.SYNCLINE_PREFIX ?? 'syncline'}:queue}`,
};
const queue = new Queue('registry-sync', options);
const events = new QueueEvents('registry-sync', options);

try {
  await events.waitUntilReady();
  const job = await queue.add('sync', { v: 1, registry });
  console.log(`job: ${await job.waitUntilFinished(events, 60_000)}`);
} finally {
  await Promise.all([queue.close(), events.close()]);
}
