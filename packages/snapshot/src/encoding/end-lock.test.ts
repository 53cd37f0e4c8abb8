import { once } from 'node:events';
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { claimEnd, createEndLock, undisturbed } from './blob.ts';

test('threads that compress without a pause can be ended, and the process survives', async () => {
  const endOne = async () => {
    const lock = createEndLock();
    const entry = new URL('../testing/compressing-thread.ts', import.meta.url);
    const thread = new Worker(entry, { workerData: lock });
    await once(thread, 'message');
    await sleep(3 * Math.random());
    await claimEnd(lock);
    return thread.terminate();
  };
  for (let round = 0; round < 40; round += 1) expect(await endOne()).toBe(1);
});

test('a thread without a lock works undisturbed', () => {
  expect(undisturbed(() => 'done')).toBe('done');
});

test('ending a thread waits until its work is done', async () => {
  const lock = createEndLock();
  Atomics.store(lock, 0, 1);
  let isClaimed = false;
  const claim = claimEnd(lock).then(() => {
    isClaimed = true;
  });
  await setImmediate();
  expect(isClaimed).toBe(false);
  Atomics.store(lock, 0, 0);
  Atomics.notify(lock, 0);
  await claim;
});
