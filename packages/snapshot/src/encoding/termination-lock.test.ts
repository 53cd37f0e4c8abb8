import { once } from 'node:events';
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { claimTermination, createTerminationLock, withoutTermination } from './chunk.ts';

test('threads can be terminated while they compress, and the process survives', async () => {
  const terminateOne = async () => {
    const lock = createTerminationLock();
    const entry = new URL('../testing/compressing-thread.ts', import.meta.url);
    const thread = new Worker(entry, { workerData: lock });
    await once(thread, 'message');
    await sleep(3 * Math.random());
    await claimTermination(lock);
    return thread.terminate();
  };
  for (let round = 0; round < 40; round += 1) expect(await terminateOne()).toBe(1);
});

test('a thread without a lock works as usual', () => {
  expect(withoutTermination(() => 'done')).toBe('done');
});

test('a termination waits for the work under the lock', async () => {
  const lock = createTerminationLock();
  Atomics.store(lock, 0, 1);
  let isClaimed = false;
  const claim = claimTermination(lock).then(() => {
    isClaimed = true;
  });
  await setImmediate();
  expect(isClaimed).toBe(false);
  Atomics.store(lock, 0, 0);
  Atomics.notify(lock, 0);
  await claim;
});
