import type { TerminationLock } from '@syncline/snapshot';
import { afterAll, expect, onTestFinished, test, vi } from 'vitest';
import { testBudget } from '../testing/test-budget.ts';
import { IngestPool } from './ingest-pool.ts';

const BUSY = 1;
const TERMINATING = 2;

/** The lock of the next session. */
let lock: TerminationLock;
const pool = new IngestPool({ heavyRuns: 1, memory: testBudget(), createLock: () => lock });
afterAll(() => pool.close());

function open(state: number, signal = new AbortController().signal) {
  const buffer = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
  lock = new Int32Array(buffer);
  Atomics.store(lock, 0, state);
  const session = pool.open({
    order: 'arrival',
    previous: undefined,
    signal,
    memory: pool.memory.open('test'),
  });
  onTestFinished(() => session[Symbol.dispose]());
  return session;
}

const body = () =>
  Buffer.from(JSON.stringify({ servers: [{ name: 'a', version: '1', description: 'x' }] }));

/** Wakes the waiter for the lock as soon as there is one. */
const wake = () => vi.waitFor(() => expect(Atomics.notify(lock, 0)).toBe(1));

test('a thread that is about to be terminated compresses nothing', async () => {
  const session = open(TERMINATING);
  await session.add(body());
  const building = session.build({ nowMs: 1, readChunks: async () => [] });
  await wake();
  expect(await building).toMatchObject({ diff: { added: 1 } });
});

test('an abort waits until the thread has finished its current compression', async () => {
  const abort = new AbortController();
  const session = open(BUSY, abort.signal);
  await session.add(body());
  abort.abort(new Error('the time is up'));
  await wake();
  Atomics.store(lock, 0, 0);
  Atomics.notify(lock, 0);
  await expect(session.add(body())).rejects.toThrow('the time is up');
});
