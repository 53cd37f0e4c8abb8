import { expect, test } from 'vitest';
import { onAbort } from './host.ts';

test('calls the listener once the signal is aborted, and only once', () => {
  const abort = new AbortController();
  const called: unknown[] = [];
  onAbort(abort.signal, () => called.push(abort.signal.reason));
  expect(called).toEqual([]);
  abort.abort('stopped');
  abort.abort('again');
  expect(called).toEqual(['stopped']);
});

test('calls the listener at once if the signal is already aborted', () => {
  let calls = 0;
  onAbort(AbortSignal.abort(), () => {
    calls += 1;
  });
  expect(calls).toBe(1);
});

test('does not call the listener after it was disposed', () => {
  const abort = new AbortController();
  let calls = 0;
  {
    using _listening = onAbort(abort.signal, () => {
      calls += 1;
    });
  }
  abort.abort();
  expect(calls).toBe(0);
});
