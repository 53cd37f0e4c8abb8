import {
  type Logger,
  PREVIEW_QUEUE_NAME,
  type PreviewAnswer,
  type PreviewJob,
  type PreviewJobInput,
  previewJobSchema,
  type RedisKeys,
  SynclineError,
  toSynclineError,
} from '@syncline/contract';
import { type Job, UnrecoverableError, Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import { z } from 'zod';
import { redisNowMs } from '../stores/registry-reader.ts';
import type { PreviewHandler } from './preview-queue.ts';

/** Long enough for whoever waits to look again after a Redis that was away. */
const ANSWER_TTL_S = 300;
/** Whatever a payload says. */
const LONGEST_MS = 15 * 60_000;
const LOCK_DURATION_MS = 30_000;
const STOP_LIMIT_MS = 5_000;
/** Of payloads that nobody knows, since those of others may set no limit. */
const FAILED_KEPT = { count: 20, age: ANSWER_TTL_S };

export interface PreviewWorkerOptions {
  readonly redis: Redis;
  readonly keys: RedisKeys;
  readonly logger: Logger;
  /** How many previews at once in this process. */
  readonly concurrency: number;
  readonly handle: PreviewHandler;
}

/** Answers the previews that are asked for, until it is stopped. What is under way then is ended. */
export function startPreviewWorker(options: PreviewWorkerOptions): { stop(): Promise<void> } {
  const { redis, keys, logger, concurrency } = options;
  const stopping = new AbortController();
  const worker = new Worker<PreviewJobInput, string, string>(
    PREVIEW_QUEUE_NAME,
    (job) => processJob(options, job, stopping.signal),
    {
      connection: redis,
      prefix: keys.queuePrefix,
      concurrency,
      lockDuration: LOCK_DURATION_MS,
      removeOnComplete: { count: 0 },
      removeOnFail: FAILED_KEPT,
    },
  );
  worker.on('error', (error) => logger.warn({ err: error }, 'the preview worker has trouble'));

  let stopped: Promise<void> | undefined;

  return {
    stop() {
      stopping.abort(
        new SynclineError('preview-failed', 'the worker was told to stop', {
          expected: 'another one; try again',
        }),
      );
      stopped ??= closeWhileThere(redis, worker);
      return stopped;
    },
  };
}

/** It waits for its last command, which does not end where Redis is away, or goes. */
async function closeWhileThere(redis: Redis, worker: Worker): Promise<void> {
  const givenUp = Promise.withResolvers<void>();
  const limit = setTimeout(givenUp.resolve, STOP_LIMIT_MS);
  redis.once('close', givenUp.resolve);
  try {
    await Promise.race([worker.close(redis.status !== 'ready'), givenUp.promise]);
  } finally {
    clearTimeout(limit);
    redis.off('close', givenUp.resolve);
  }
}

async function processJob(
  options: PreviewWorkerOptions,
  job: Job<PreviewJobInput>,
  stop: AbortSignal,
): Promise<string> {
  const { redis, keys } = options;
  const answer = (content: PreviewAnswer) =>
    redis.set(keys.previewAnswer(job.id ?? ''), JSON.stringify(content), 'EX', ANSWER_TTL_S);
  const parsed = previewJobSchema.safeParse(job.data);
  if (!parsed.success) {
    const message = `the payload is not known:\n${z.prettifyError(parsed.error)}`;
    await answer({ error: { code: 'bad-request', message } });
    throw new UnrecoverableError(message);
  }
  const leftMs = parsed.data.deadlineAtMs - (await redisNowMs(redis));
  if (leftMs <= 0) return 'nobody waits for it any longer';
  const content = await handleInTime(options, parsed.data, { leftMs, stop });
  await answer(content);
  return 'preview' in content ? content.preview.state : content.error.code;
}

async function handleInTime(
  { handle, logger }: PreviewWorkerOptions,
  job: PreviewJob,
  { leftMs, stop }: { leftMs: number; stop: AbortSignal },
): Promise<PreviewAnswer> {
  const late = new AbortController();
  const timer = setTimeout(
    () => late.abort(new SynclineError('preview-failed', 'nobody waits for it any longer')),
    Math.min(leftMs, LONGEST_MS),
  );
  try {
    return { preview: await handle(job, AbortSignal.any([stop, late.signal])) };
  } catch (error) {
    const { code, message } = toSynclineError(error);
    if (code !== 'internal') return { error: { code, message } };
    logger.error({ err: error }, 'a preview has failed');
    return { error: { code, message: 'something went wrong; the log of the worker has more' } };
  } finally {
    clearTimeout(timer);
  }
}
