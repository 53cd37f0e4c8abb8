import { stripVTControlCharacters as uncolored } from 'node:util';
import { expect, test } from 'vitest';
import { countPhases } from '../format/phase.ts';
import { at, NOW_MS, runOf, viewOf } from '../testing/views.ts';
import { formatProgress, isNews } from './progress.ts';

const pending = viewOf();
const syncing = (fields = {}) =>
  viewOf({ status: { phase: 'Syncing', leaseUntil: NOW_MS + 1_000, ...fields } });
const complete = (fields = {}) =>
  viewOf({
    status: { phase: 'Complete', serverCount: 12, versionCount: 14, snapshot: 'one', ...fields },
  });
const failed = (fields = {}) =>
  viewOf({
    status: {
      phase: 'Failed',
      consecutiveFailures: 1,
      errorCode: 'source-unreachable',
      message: 'cannot reach it',
      nextDueAt: '2026-08-01T12:00:00Z',
      ...fields,
    },
  });

test.each([
  ['the first status', undefined, pending, true],
  [
    'no change',
    complete(),
    complete({ lastSuccessAt: at(0), reason: 'up-to-date-with-policy' }),
    false,
  ],
  ['the first sync', pending, syncing(), true],
  ['a later sync', complete(), syncing(), false],
  ['a retry after a failure', failed(), syncing(), false],
  ['the end of the first sync', syncing(), complete(), true],
  ['a new snapshot', complete(), complete({ snapshot: 'two' }), true],
  ['a failure', complete(), failed(), true],
  ['the same failure', failed(), failed({ message: 'again', consecutiveFailures: 2 }), false],
  ['another failure', failed(), failed({ errorCode: 'source-timeout' }), true],
  ['a recovery', failed(), complete(), true],
  [
    'a suspension',
    complete(),
    { ...complete(), control: viewOf({ control: { suspended: '1' } }).control },
    true,
  ],
])('a status is news only if it differs enough: %s', (_, before, now, expected) => {
  const told = before && { view: before, atMs: NOW_MS };
  expect(isNews(told, now, NOW_MS)).toBe(expected);
});

test('the progress of a first sync is reported every few seconds', () => {
  const told = { view: syncing({ message: 'read 100 rows' }), atMs: NOW_MS };
  const further = syncing({ message: 'read 200 rows' });
  expect(isNews(told, further, NOW_MS + 4_999)).toBe(false);
  expect(isNews(told, further, NOW_MS + 5_000)).toBe(true);
  expect(isNews(told, told.view, NOW_MS + 5_000)).toBe(false);
});

test('a line shows the state of a registry', () => {
  const line = (view: Parameters<typeof formatProgress>[0], run?: ReturnType<typeof runOf>) =>
    uncolored(formatProgress(view, { nameWidth: 8, run }));
  expect(line(complete(), runOf())).toBe(
    '  local     Complete  12 servers, 14 versions (published +12)',
  );
  expect(line(complete(), runOf({ quarantined: { count: 2, samples: [] } }))).toBe(
    '  local     Complete  12 servers, 14 versions (published +12, 2 rows skipped)',
  );
  expect(line(complete(), runOf({ outcome: 'unchanged' }))).toBe(
    '  local     Complete  12 servers, 14 versions',
  );
  expect(line(failed())).toMatch(
    /^ {2}local {5}Failed {4}cannot reach it; the next try is at \d\d:\d\d:\d\d$/,
  );
  const { control } = viewOf({ control: { suspended: '1', note: 'moving', author: 'ada' } });
  expect(line({ ...complete(), control })).toBe(
    '  local     Complete  12 servers, 14 versions; suspended by ada: moving',
  );
  expect(line(syncing({ message: 'read 100 rows' }))).toBe('  local     Syncing   read 100 rows');
});

test('many registries are counted by their phases', () => {
  expect(countPhases([pending, complete(), failed(), complete()])).toBe(
    '4 registries: 1 Failed, 1 Pending, 2 Complete',
  );
});
