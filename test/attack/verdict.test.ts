import { expect, test } from 'vitest';
import { judge, type Observations, p99 } from './verdict.ts';

const MB = 1_024 ** 2;

const harmless: Observations = {
  ended: [],
  memory: [{ role: 'worker', limitBytes: 500 * MB, peakBytes: 590 * MB }],
  latestMs: 59_000,
  haveAllSucceeded: true,
  undisturbed: [4, 5, 6],
  reads: [40, 45, 50],
  liveness: [10, 90, 100],
  named: [{ by: 'runs of big', expected: ['a'], found: ['a'], isNamed: true }],
  gained: [],
};
const promisesBroken = (more: Partial<Observations>, isTimed = true) =>
  judge({ ...harmless, ...more }, { isTimed }).map(({ promise }) => promise);

test('an attack that stays within all limits breaks no promise', () => {
  expect(judge(harmless)).toEqual([]);
});

test.each<[string, Partial<Observations>]>([
  ['lives', { ended: ['worker ended with 134'] }],
  ['memory', { memory: [{ role: 'api', limitBytes: 500 * MB, peakBytes: 601 * MB }] }],
  ['on time', { latestMs: 61_000 }],
  ['on time', { haveAllSucceeded: false }],
  ['readers', { reads: [40, 45, 51] }],
  ['readers', { reads: [40, 45, null] }],
  ['liveness', { liveness: [10, 90, 101] }],
  ['cause', { named: [{ by: 'doctor', expected: ['a'], found: [], isNamed: false }] }],
  ['access', { gained: ['the token'] }],
])('finds that an attack broke the promise %s', (promise, more) => {
  expect(promisesBroken(more)).toEqual([promise]);
});

test('readers may take five times as long as undisturbed readers', () => {
  expect(promisesBroken({ undisturbed: [10, 20, 30], reads: [140, 145, 150] })).toEqual([]);
  expect(promisesBroken({ undisturbed: [10, 20, 30], reads: [140, 145, 151] })).toEqual([
    'readers',
  ]);
});

test('times and sizes are not judged on a busy machine', () => {
  const late = { latestMs: 100_000, reads: [null], liveness: [null] };
  expect(promisesBroken(late, false)).toEqual([]);
  expect(promisesBroken({ haveAllSucceeded: false }, false)).toEqual(['on time']);
});

test('the 99th percentile ignores one slow answer of a hundred', () => {
  const answers = Array.from({ length: 99 }, () => 1);
  expect(p99([...answers, null])).toBe(1);
  expect(p99([...answers.slice(1), null, null])).toBe(Infinity);
});
