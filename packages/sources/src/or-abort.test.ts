import { expect, test } from 'vitest';
import { orAbort } from './source.ts';

const never = new Promise<never>(() => {});

test('orAbort returns the result or the error of the work', async () => {
  const { signal } = new AbortController();
  expect(await orAbort(Promise.resolve(1), signal)).toBe(1);
  await expect(orAbort(Promise.reject(new Error('no')), signal)).rejects.toThrow('no');
});

test('orAbort does not wait for the work after an abort, and throws the reason', async () => {
  const reason = new Error('the time is up');
  await expect(orAbort(never, AbortSignal.abort(reason))).rejects.toBe(reason);
  const abort = new AbortController();
  const waiting = orAbort(never, abort.signal);
  abort.abort(reason);
  await expect(waiting).rejects.toBe(reason);
});
