import { once } from 'node:events';
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { claimEnd, createEndLock, undisturbed } from './blob.ts';

test('threads that compress all the time can be ended, and the process lives', async () => {
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

test('a thread that is not ended by others works as if there were no lock', () => {
  expect(undisturbed(() => 'done')).toBe('done');
});

test('who wants to end a thread waits until it is done', async () => {
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
