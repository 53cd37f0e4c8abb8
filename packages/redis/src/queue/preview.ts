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
  SynclineError,
  toSynclineError,
} from '@syncline/contract';
import type { Job } from 'bullmq';
import { UnrecoverableError, Worker } from 'bullmq';
import { z } from 'zod';
import type { KeyAccess } from '../lua/lua-script.ts';
import { redisNowMs } from '../stores/registry-reader.ts';
import { closeWorker } from './bullmq-internals.ts';
import { openQueue, type QueueOptions } from './queue.ts';

/** What to preview: a registry of the current config, or a new config entry. */
export type PreviewTarget = { readonly samples?: number } & (
  | { readonly registry: string }
  | { readonly config: ConfigInput['registries'][number] }
);

/** Computes what a sync would change. */
export type PreviewHandler = (job: PreviewJob, signal: AbortSignal) => Promise<Preview>;

/** Requests previews from workers, because only workers have the sources' disk, credentials and network. */
export interface PreviewRequester {
  /**
   * Returns what a sync would change. Removes the job and the answer from Redis. Both expire if this process dies.
   *
   * @throws SynclineError `unknown-registry`; `preview-failed` if the worker cannot read the source, or no worker
   *   answers within `timeoutMs`; the signal's reason
   */
  request(
    target: PreviewTarget,
    options: { timeoutMs: number; signal?: AbortSignal },
  ): Promise<Preview>;
  close(): Promise<void>;
}

const FIRST_POLL_MS = 25;
const LONGEST_POLL_MS = 500;

/** Codes that the requester passes on. Any other code of a worker is a fault of the source. */
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
    async request(target, { timeoutMs, signal }) {
      const id = randomUUID();
      const untilMs = performance.now() + timeoutMs;
      const deadlineAtMs = (await redisNowMs(redis)) + timeoutMs;
      const options = { jobId: id, attempts: 1, removeOnComplete: true, removeOnFail: true };
      await queue.add('preview', { v: 1, ...target, deadlineAtMs }, options);
      try {
        for (let pollMs = FIRST_POLL_MS; ; pollMs = Math.min(pollMs * 1.5, LONGEST_POLL_MS)) {
          signal?.throwIfAborted();
          const answer = await takeAnswer(id);
          if (answer !== undefined) return previewOf(answer);
          const leftMs = untilMs - performance.now();
          if (leftMs <= 0) return previewOf(await giveUp(id, timeoutMs));
          await pause(Math.min(pollMs, leftMs), undefined, signal === undefined ? {} : { signal });
        }
      } catch (error) {
        if (signal?.aborted !== true) throw error;
        await queue.remove(id).catch(() => undefined);
        throw signal.reason;
      }
    },
    close: () => queue.close(),
  };

  async function takeAnswer(id: string): Promise<PreviewAnswer | undefined> {
    const text = await redis.getdel(keys.previewAnswer(id));
    return text === null ? undefined : previewAnswerSchema.parse(JSON.parse(text));
  }

  async function giveUp(id: string, timeoutMs: number): Promise<PreviewAnswer> {
    // BullMQ refuses to remove a running job, because it is locked.
    const isWaiting = (await queue.remove(id)) === 1;
    const answer = await takeAnswer(id);
    if (answer !== undefined) return answer;
    const seconds = timeoutMs / 1_000;
    const message = isWaiting
      ? `no worker has taken the preview within ${seconds} s. Check that a worker runs and is not busy with other previews`
      : `the preview took longer than ${seconds} s. Allow more time if the registry is large or its source is slow`;
    throw new SynclineError('preview-failed', message);
  }
}

function previewOf(answer: PreviewAnswer): Preview {
  if ('preview' in answer) return answer.preview;
  const { code, message } = answer.error;
  if (OWN_CODES.has(code)) throw new SynclineError(code, message);
  throw new SynclineError(
    'preview-failed',
    `the preview could not read the source: ${code}: ${message}`,
  );
}

/** Long enough for a caller to find the answer after an outage of Redis. */
const ANSWER_TTL_S = 300;
/** The limit for the time until a deadline in a payload. */
const LONGEST_MS = 15 * 60_000;
const LOCK_DURATION_MS = 30_000;
const STOP_LIMIT_MS = 5_000;
/** The limit for failed jobs of other producers, which may set no limit. */
const FAILED_KEPT = { count: 20, age: ANSWER_TTL_S };
const TOO_LATE = 'the caller no longer waits';

export interface PreviewWorkerOptions extends KeyAccess {
  readonly logger: Logger;
  /** How many previews this process computes at once. */
  readonly concurrency: number;
  readonly handle: PreviewHandler;
}

/** Computes requested previews until `stop`, which interrupts running previews. */
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
  worker.on('error', ({ message }) =>
    logger.warn({ reason: message }, 'error in the preview worker, which continues'),
  );

  return {
    stop() {
      stopping.abort(
        new SynclineError('preview-failed', 'the worker is stopping. Request the preview again'),
      );
      const whenIdle = async () => {};
      return closeWorker(worker, { connection: redis, limitMs: STOP_LIMIT_MS, whenIdle });
    },
  };
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
    const message = `invalid payload:\n${z.prettifyError(parsed.error)}`;
    await answer({ error: { code: 'bad-request', message } });
    throw new UnrecoverableError(message);
  }
  const leftMs = parsed.data.deadlineAtMs - (await redisNowMs(redis));
  if (leftMs <= 0) return TOO_LATE;
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
    () => late.abort(new SynclineError('preview-failed', TOO_LATE)),
    Math.min(leftMs, LONGEST_MS),
  );
  try {
    return { preview: await handle(job, AbortSignal.any([stop, late.signal])) };
  } catch (error) {
    const { code, message } = toSynclineError(error);
    if (code !== 'internal') return { error: { code, message } };
    logger.error({ err: error }, 'preview failed');
    return { error: { code, message: 'internal error. Read the log of the worker' } };
  } finally {
    clearTimeout(timer);
  }
}
