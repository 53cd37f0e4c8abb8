import { expect, test } from 'vitest';
import { Semaphore, type SemaphoreSlot } from './capacity.ts';

const signal = new AbortController().signal;

/** Callers that wait, and the order in which they are served. */
function queue(semaphore: Semaphore) {
  const served: string[] = [];
  const ask = async (name: string, options?: { isUrgent?: boolean }): Promise<SemaphoreSlot> => {
    const slot = await semaphore.acquire(signal, options);
    served.push(name);
    return slot;
  };
  return { served, ask };
}

test('hands out its slots, and serves the next caller when a slot is released', async () => {
  const semaphore = new Semaphore(2);
  const { served, ask } = queue(semaphore);
  const first = await ask('a');
  await ask('b');
  const third = ask('c');
  expect(semaphore.waiting).toBe(1);
  first.release();
  await third;
  expect(served).toEqual(['a', 'b', 'c']);
});

test('serves urgent callers first, others in the order in which they asked', async () => {
  const { served, ask } = queue(new Semaphore(1));
  const slot = await ask('a');
  const waiting = [ask('b'), ask('c'), ask('d', { isUrgent: true })];
  slot.release();
  for (const next of [2, 0, 1]) (await waiting[next])?.release();
  expect(served).toEqual(['a', 'd', 'b', 'c']);
});

test('a slot that is released twice goes to one caller', async () => {
  const semaphore = new Semaphore(1);
  const slot = await semaphore.acquire(signal);
  slot.release();
  slot.release();
  await semaphore.acquire(signal);
  void semaphore.acquire(signal);
  expect(semaphore.waiting).toBe(1);
});

test('an aborted caller stops waiting, and blocks no other', async () => {
  const semaphore = new Semaphore(1);
  const slot = await semaphore.acquire(signal);
  const abort = new AbortController();
  const aborted = semaphore.acquire(abort.signal);
  const next = semaphore.acquire(signal);
  abort.abort(new Error('stop'));
  await expect(aborted).rejects.toThrow('stop');
  slot.release();
  expect(await next).toBeDefined();
  await expect(semaphore.acquire(abort.signal)).rejects.toThrow('stop');
});
