import { expect, test } from 'vitest';
import { orLeave } from './capacity.ts';

const REASON = new Error('the time is up');
const never = new Promise<never>(() => {});

test('returns the result of the work, even after an abort if the work ends soon', async () => {
  const { signal } = new AbortController();
  expect(await orLeave(Promise.resolve(1), { signal })).toBe(1);
  await expect(orLeave(Promise.reject(new Error('no')), { signal })).rejects.toThrow('no');
  const work = Promise.withResolvers<number>();
  const waiting = orLeave(work.promise, { signal: AbortSignal.abort(REASON) });
  work.resolve(2);
  expect(await waiting).toBe(2);
});

test('stops waiting for work that ignores its signal, and rejects with the reason', async () => {
  let left = 0;
  const onLeft = () => {
    left += 1;
  };
  const aborted = AbortSignal.abort(REASON);
  await expect(orLeave(never, { signal: aborted, onLeft, graceMs: 1 })).rejects.toBe(REASON);
  const abort = new AbortController();
  const work = Promise.withResolvers<number>();
  const waiting = orLeave(work.promise, { signal: abort.signal, onLeft, graceMs: 1 });
  abort.abort(REASON);
  await expect(waiting).rejects.toBe(REASON);
  expect(left).toBe(2);
  // Its later result is ignored, and is not an unhandled rejection.
  work.reject(new Error('too late'));
});
