import { expect, test } from 'vitest';
import { NOW_MS, viewOf } from '../testing/views.ts';
import { stepOfAll, stepOfOne } from './sync-one.ts';

const syncing = (name: string, message?: string) =>
  viewOf({
    name,
    status: { phase: 'Syncing', leaseUntil: NOW_MS + 1_000, ...(message && { message }) },
  });

test('a step says what the command waits for', () => {
  expect(stepOfOne(viewOf())).toEqual({ stage: 'queued', text: 'local: waiting for a worker' });
  expect(stepOfOne(syncing('a', 'syncing: read 3,100 rows\u001b[2J in 31 pages'))).toEqual({
    stage: 'Syncing',
    text: 'a: read 3,100 rows [2J in 31 pages',
  });
  expect(stepOfOne(syncing('a')).text).toBe('a: syncing');
});

test('a step counts finished registries, and names a few running ones', () => {
  const views = [...'abcde'].map((name) => syncing(name));
  expect(stepOfAll([...views, viewOf()], { done: 1, failed: 0 }).text).toBe(
    '1 of 6 registries done; syncing a, b, c and 2 more',
  );
  expect(stepOfAll([viewOf()], { done: 1, failed: 1 })).toEqual({
    stage: '1/1',
    text: '1 of 1 registry done, 1 failed',
  });
});
