import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import {
  type ConfigInput,
  type ErrorCode,
  type Logger,
  PREVIEW_QUEUE_NAME,
  type Preview,
  type PreviewAnswer,
  type PreviewJob,
  type PreviewJobInput,
  previewAnswerSchema,
  previewJobSchema,
  type RedisKeys,
  SynclineError,
  toSynclineError,
} from '@syncline/contract';
import type { Worker as BullWorker, Job } from 'bullmq';
import type { Redis } from 'ioredis';
import { z } from 'zod';
import { redisNowMs } from '../stores/registry-reader.ts';
import { UnrecoverableError, Worker } from './bullmq.ts';
import { openQueue, type QueueOptions } from './queue.ts';

/** What is to be looked at: a registry of the config in force, or one as a config might have it. */
export type PreviewWish = { readonly samples?: number } & (
  | { readonly registry: string }
  | { readonly config: ConfigInput['registries'][number] }
);

/** Finds out what a sync would do. */
export type PreviewHandler = (job: PreviewJob, signal: AbortSignal) => Promise<Preview>;

/** Asks workers for previews: they have the disk, the credentials and the network that sources need. */
export interface PreviewRequester {
  /**
   * What a sync would do. Job and answer are gone from Redis when this returns; where the process ends
   * before, the answer expires, and the job does when a worker sees it.
   *
   * @throws SynclineError `unknown-registry`; `preview-failed` where the source cannot be read, or no
   *   worker has answered within `timeoutMs`; the signal's reason
   */
  request(
    wish: PreviewWish,
    options: { timeoutMs: number; signal?: AbortSignal },
  ): Promise<Preview>;
  close(): Promise<void>;
}

const FIRST_POLL_MS = 25;
const LONGEST_POLL_MS = 500;

/** Codes that say all by themselves; what else a worker answers is about the source. */
const OWN_CODES: ReadonlySet<ErrorCode> = new Set([
  'unknown-registry',
  'bad-request',
  'preview-failed',
  'internal',
]);

export function createPreviewRequester(options: QueueOptions): PreviewRequester {
  const { redis, keys } = options;
  const queue = openQueue<PreviewJobInput>(PREVIEW_QUEUE_NAME, options);

  return {
    async request(wish, { timeoutMs, signal }) {
      const id = randomUUID();
      const deadlineAtMs = (await redisNowMs(redis)) + timeoutMs;
      const options = { jobId: id, attempts: 1, removeOnComplete: true, removeOnFail: true };
      await queue.add('preview', { v: 1, ...wish, deadlineAtMs }, options);
      try {
        const answer = await waitForAnswer(id, { timeoutMs, signal });
        return previewOf(answer ?? (await giveUp(id, timeoutMs)));
      } catch (error) {
        if (signal?.aborted !== true) throw error;
        await queue.remove(id).catch(() => undefined);
        throw signal.reason;
      }
    },
    close: () => queue.close(),
  };

  async function waitForAnswer(
    id: string,
    { timeoutMs, signal }: { timeoutMs: number; signal: AbortSignal | undefined },
  ): Promise<PreviewAnswer | undefined> {
    const untilMs = performance.now() + timeoutMs;
    for (let pollMs = FIRST_POLL_MS; ; pollMs = Math.min(pollMs * 1.5, LONGEST_POLL_MS)) {
      signal?.throwIfAborted();
      const answer = await takeAnswer(id);
      const leftMs = untilMs - performance.now();
      if (answer !== undefined || leftMs <= 0) return answer;
      await pause(Math.min(pollMs, leftMs), undefined, signal === undefined ? {} : { signal });
    }
  }

  async function takeAnswer(id: string): Promise<PreviewAnswer | undefined> {
    const text = await redis.getdel(keys.previewAnswer(id));
    return text === null ? undefined : previewAnswerSchema.parse(JSON.parse(text));
  }

  async function giveUp(id: string, timeoutMs: number): Promise<PreviewAnswer> {
    // A job that is being worked on is locked, and is not removed.
    const isWaiting = (await queue.remove(id)) === 1;
    const answer = await takeAnswer(id);
    if (answer !== undefined) return answer;
    const seconds = timeoutMs / 1_000;
    throw isWaiting
      ? new SynclineError('preview-failed', `no worker has taken the preview within ${seconds} s`, {
          expected: 'a worker to be running, and not busy with other previews',
        })
      : new SynclineError('preview-failed', `the preview was not done within ${seconds} s`, {
          expected: 'more time, for a large registry or a slow source',
        });
  }
}

function previewOf(answer: PreviewAnswer): Preview {
  if ('preview' in answer) return answer.preview;
  const { code, message } = answer.error;
  if (OWN_CODES.has(code)) throw new SynclineError(code, message);
  throw new SynclineError('preview-failed', `the source cannot be read: ${code}: ${message}`);
}

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
async function closeWhileThere(redis: Redis, worker: BullWorker): Promise<void> {
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
