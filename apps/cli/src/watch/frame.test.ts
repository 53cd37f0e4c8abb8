import { stripVTControlCharacters as uncolored } from 'node:util';
import { expect, test } from 'vitest';
import { at, NOW_MS, viewOf } from '../testing/views.ts';
import { type FrameOptions, frameOf, type Watched } from './watch-on-screen.ts';

const complete = (name: string) =>
  viewOf({
    name,
    status: { phase: 'Complete', serverCount: 1, versionCount: 2, lastSuccessAt: at(-5_000) },
  });
const failed = (name: string) =>
  viewOf({
    name,
    status: {
      phase: 'Failed',
      consecutiveFailures: 1,
      message: `cannot reach it\u001b[2J${'无'.repeat(60)}`,
      lastSuccessAt: at(-7_000),
      nextDueAt: at(20_000),
    },
  });

function frame(views: Watched['views'], options: Partial<FrameOptions & Watched> = {}): string[] {
  const { columns = 80, rows = 24, isDetailed = false, failure, changed = new Set() } = options;
  const watched = { views, nowMs: NOW_MS, changed, failure };
  const lines = frameOf(watched, { columns, rows, clockMs: NOW_MS, isDetailed });
  expect(lines.length).toBeLessThanOrEqual(rows);
  return lines.map((line) => uncolored(line).replace(/^\d\d:\d\d:\d\d/, 'HH:MM:SS'));
}

test('each registry has a line below a summary line, and changed ones are marked', () => {
  const views = [complete('one'), failed('two')];
  const lines = frame(views, { columns: 90, changed: new Set(['one']) });
  expect(lines).toEqual([
    'HH:MM:SS  2 registries: 1 Complete, 1 Failed; Ctrl-C ends',
    '',
    ' REGISTRY  PHASE     SERVERS  VERSIONS  LAST SUCCESS  NEXT TRY  REASON',
    '*one       Complete        1         2  5s',
    ' two       Failed          0         0  7s            in 20s    cannot reach it [2J无无无…',
  ]);
});

test('if not all registries fit, failing ones come first, and the rest is counted', () => {
  const views = [...Array.from({ length: 10 }, (_, i) => complete(`good-${i}`)), failed('bad')];
  const lines = frame(views, { rows: 8 });
  expect(lines).toHaveLength(8);
  expect(lines.slice(3).map((line) => line.trim().split(' ')[0])).toEqual([
    'bad',
    'good-0',
    'good-1',
    'good-2',
    'and',
  ]);
  expect(lines.at(-1)).toBe('and 7 more registries');
  expect(frame(views, { rows: 14 }).at(-1)).toMatch(/^ bad /);
});

test.each([
  [90, /NEXT TRY/, /VERSIONS/],
  [80, /NEXT TRY/, /VERSIONS.*REASON/],
  [56, /LAST SUCCESS/, /SERVERS/],
  [20, /PHASE/, /REASON/],
])('columns that do not fit within %d are left out', (columns, there, either) => {
  const [, , head = '', ...rows] = frame([complete('one'), failed('two')], { columns });
  expect(head).toMatch(there);
  for (const line of [head, ...rows]) expect(line.length).toBeLessThanOrEqual(columns);
  if (columns < 90) expect(head).not.toMatch(either);
});

test('while Redis is away, the last state is shown with its time', () => {
  const failure = { message: 'Connection is closed.', sinceMs: NOW_MS };
  const [, line] = frame([complete('one')], { failure });
  expect(line).toMatch(/^as of \d\d:\d\d:\d\d: Connection is closed\.$/);
});

test('a single registry is shown with all its details, as far as they fit', () => {
  const lines = frame([complete('one')], { isDetailed: true, rows: 6 });
  expect(lines.slice(2)).toEqual([
    'registry      one',
    'source        file /data.json',
    'schedule      every 1h',
    'phase         Complete',
  ]);
});
