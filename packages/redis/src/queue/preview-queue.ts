import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import {
  type ConfigInput,
  type ErrorCode,
  PREVIEW_QUEUE_NAME,
  type Preview,
  type PreviewAnswer,
  type PreviewJob,
  type PreviewJobInput,
  previewAnswerSchema,
  SynclineError,
} from '@syncline/contract';
import { redisNowMs } from '../stores/registry-reader.ts';
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
