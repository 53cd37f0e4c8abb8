import type { Preview } from '@syncline/contract';
import { OFFICIAL_META } from '@syncline/rows';
import { expect, test } from 'vitest';
import { formatPreview } from './preview.ts';

const PREVIEW: Preview = {
  registry: 'team',
  state: 'would-publish',
  paused: null,
  guard: {
    verdict: 'pass',
    compared: 'rowCount',
    countBefore: 1_000,
    countAfter: 999,
    lostPercent: 0.1,
    maxShrinkPercent: 20,
    allowEmpty: false,
  },
  rowCount: 999,
  rowCountBefore: 1_000,
  sourceRowCount: 1_200,
  serverCount: 900,
  skillCount: 1,
  pluginCount: 2,
  diff: {
    added: 1_235,
    updated: 2,
    removed: 1,
    samples: { added: ['a/new@1'], updated: ['a/x@1', 'a/y@1'], removed: ['a/old@1'] },
  },
  changes: [
    { row: 'a/x@1', fields: ['server.description', `_meta["${OFFICIAL_META}"].status`] },
    { row: 'a/y@1', fields: ['_meta["com.acme/extra"]'] },
  ],
  quarantined: { count: 1, samples: [{ row: 'row 7', reason: 'server.name is\x1b[2J missing' }] },
  upstream: { requests: 1, bytes: 2_048 },
  startedAt: '2026-02-01T12:00:00.000Z',
  durationMs: 85,
};

test('rows come first, then numbers, and text of upstreams cannot control the terminal', () => {
  expect(formatPreview(PREVIEW).split('\n')).toEqual([
    '+ a/new@1',
    '  … 1,234 more added',
    '~ a/x@1 (description, official.status)',
    '~ a/y@1 (_meta["com.acme/extra"])',
    '- a/old@1',
    '! row 7: server.name is [2J missing',
    '',
    'team: a sync would publish this state: +1235 ~2 -1',
    '  rows     999 instead of 1,000; the source has 1,200 before the filter',
    '  skipped  1 row',
    '  besides  1 skill, 2 plugins',
    '  guard    passes: 999 rows instead of 1,000, 0.1% lost, limit 20%',
    '  read     1 request, 2,048 bytes in 85ms',
  ]);
});

test('a preview says if the guard would hold the snapshot, and why no sync runs', () => {
  const guard = { ...PREVIEW.guard, verdict: 'shrink' as const, countAfter: 100, lostPercent: 90 };
  const text = formatPreview({ ...PREVIEW, state: 'would-hold', paused: 'pinned', guard });
  expect(text).toContain('team: the guard would hold this state');
  expect(text).toContain('guard    holds the state: 100 rows instead of 1,000, 90.0% lost');
  expect(text).toContain('paused   pinned by a rollback');
});

test('a preview without changes is one line and the numbers', () => {
  const samples = { added: [], updated: [], removed: [] };
  const text = formatPreview({
    ...PREVIEW,
    state: 'unchanged',
    diff: { added: 0, updated: 0, removed: 0, samples },
    changes: [],
    quarantined: { count: 0, samples: [] },
  });
  expect(text).toMatch(/^team: a sync would change nothing\n {2}rows/);
});
