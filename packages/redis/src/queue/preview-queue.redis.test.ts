import { PREVIEW_QUEUE_NAME, type PreviewJob, SynclineError } from '@syncline/contract';
import { createRecordingLogger, testPreview } from '@syncline/sync/testing';
import { Queue } from 'bullmq';
import { expect, onTestFinished, test } from 'vitest';
import { type TestRedis, testRedis } from '../testing/test-redis.ts';
import { createPreviewRequester, type PreviewHandler, startPreviewWorker } from './preview.ts';

const PREVIEW = testPreview('alpha');

function requesterOf({ redis, keys }: TestRedis) {
  const requester = createPreviewRequester({
    redis,
    keys,
    onError: (error) => {
      throw error;
    },
  });
  onTestFinished(() => requester.close());
  return requester;
}

function workerOf({ redis, keys }: TestRedis, handle: PreviewHandler) {
  const logger = createRecordingLogger();
  const worker = startPreviewWorker({ redis, keys, logger, concurrency: 1, handle });
  onTestFinished(() => worker.stop());
  return { worker, logger };
}

/** Returns the keys that previews have left in Redis, except those of BullMQ's queue itself. */
async function leftovers({ redis, keys, prefix }: TestRedis): Promise<string[]> {
  const jobs = await redis.keys(`${keys.queuePrefix}:${PREVIEW_QUEUE_NAME}:????????-*`);
  return [...jobs, ...(await redis.keys(`${prefix}:preview:*`))];
}

/** Rejects when the signal is aborted, like a source that gets no answer. */
function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

test('a worker gets a parsed request, the caller gets the answer, and no key is left', async () => {
  const shared = testRedis();
  const seen: PreviewJob[] = [];
  workerOf(shared, async (job) => {
    seen.push(job);
    return PREVIEW;
  });
  const requester = requesterOf(shared);
  const options = { timeoutMs: 120_000 };
  expect(await requester.request({ registry: 'alpha' }, options)).toEqual(PREVIEW);
  const config = { name: 'alpha', file: { path: '/a.json' }, syncPolicy: { interval: '1m' } };
  await requester.request({ config, samples: 5 }, options);
  expect(seen).toMatchObject([
    { registry: 'alpha', samples: 200 },
    { config: { name: 'alpha', syncPolicy: { interval: 60_000 } }, samples: 5 },
  ]);
  await expect.poll(() => leftovers(shared)).toEqual([]);
});

test.each([
  {
    thrown: new SynclineError('source-file-missing', 'there is no file'),
    told: {
      code: 'preview-failed',
      message: 'the preview could not read the source: source-file-missing: there is no file',
    },
  },
  {
    thrown: new SynclineError(
      'unknown-registry',
      'the config has no registry alpha. Check the spelling of the name',
    ),
    told: {
      code: 'unknown-registry',
      message: 'the config has no registry alpha. Check the spelling of the name',
    },
  },
  {
    thrown: new Error('what only the log may say'),
    told: { code: 'internal', message: 'internal error. Read the log of the worker' },
  },
])('the caller gets an error as $told.code', async ({ thrown, told }) => {
  const shared = testRedis();
  const { logger } = workerOf(shared, async () => {
    throw thrown;
  });
  const requester = requesterOf(shared);
  await expect(
    requester.request({ registry: 'alpha' }, { timeoutMs: 120_000 }),
  ).rejects.toMatchObject(told);
  expect(logger.entries.map(({ level }) => level)).toEqual(
    told.code === 'internal' ? ['error'] : [],
  );
});

test('a request without a worker fails in time, and its job is removed', async () => {
  const shared = testRedis();
  const requester = requesterOf(shared);
  await expect(requester.request({ registry: 'alpha' }, { timeoutMs: 50 })).rejects.toMatchObject({
    code: 'preview-failed',
    message: expect.stringContaining('no worker has taken'),
  });
  expect(await leftovers(shared)).toEqual([]);
});

test('a worker ends a preview if no caller waits for it', async () => {
  const shared = testRedis();
  const ended = Promise.withResolvers<unknown>();
  let jobs = 0;
  workerOf(shared, async (_job, signal) => {
    jobs += 1;
    if (jobs === 1) return PREVIEW;
    await untilAborted(signal).catch(ended.resolve);
    throw signal.reason;
  });
  const requester = requesterOf(shared);
  // The worker is running now, and takes the second job in time.
  await requester.request({ registry: 'alpha' }, { timeoutMs: 120_000 });
  await expect(
    requester.request({ registry: 'alpha' }, { timeoutMs: 1_000 }),
  ).rejects.toMatchObject({
    code: 'preview-failed',
  });
  expect(await ended.promise).toMatchObject({ message: 'the caller no longer waits' });
});

test('a job that no worker has taken is removed when its caller stops waiting', async () => {
  const shared = testRedis();
  const requester = requesterOf(shared);
  const stop = new AbortController();
  const reason = new Error('enough');
  const asked = requester.request(
    { registry: 'alpha' },
    { timeoutMs: 60_000, signal: stop.signal },
  );
  const refused = expect(asked).rejects.toBe(reason);
  await expect.poll(() => leftovers(shared)).toHaveLength(1);
  stop.abort(reason);
  await refused;
  expect(await leftovers(shared)).toEqual([]);
});

test('a worker that stops tells the waiting caller', async () => {
  const shared = testRedis();
  const begun = Promise.withResolvers<void>();
  const { worker } = workerOf(shared, (_job, signal) => {
    begun.resolve();
    return untilAborted(signal);
  });
  const asked = requesterOf(shared).request({ registry: 'alpha' }, { timeoutMs: 60_000 });
  const told = expect(asked).rejects.toMatchObject({
    code: 'preview-failed',
    message: expect.stringContaining('the worker is stopping'),
  });
  await begun.promise;
  await worker.stop();
  await told;
});

test('an invalid payload is rejected without a retry, and the next job still works', async () => {
  const shared = testRedis();
  const { redis, keys } = shared;
  let handled = 0;
  workerOf(shared, async () => {
    handled += 1;
    return PREVIEW;
  });
  const queue = new Queue(PREVIEW_QUEUE_NAME, { connection: redis, prefix: keys.queuePrefix });
  onTestFinished(() => queue.close());
  const token = { tokenFile: '/token', token: 'planted' };
  const api = { endpoint: 'https://example.com', auth: token };
  for (const data of [
    { v: 2, registry: 'alpha', deadlineAtMs: Date.now() + 60_000 },
    { v: 1, registry: 'catalog.alpha', deadlineAtMs: Date.now() + 60_000 },
    { v: 1, config: { name: 'alpha', api }, deadlineAtMs: Date.now() + 60_000 },
    'nonsense',
  ]) {
    const job = await queue.add('preview', data);
    await expect.poll(() => job.getState()).toBe('failed');
    const answer = await redis.get(keys.previewAnswer(job.id ?? ''));
    expect(JSON.parse(answer ?? '')).toMatchObject({ error: { code: 'bad-request' } });
  }
  expect(handled).toBe(0);
  const requester = requesterOf(shared);
  expect(await requester.request({ registry: 'alpha' }, { timeoutMs: 120_000 })).toEqual(PREVIEW);
});
