import type { Preview } from '@syncline/contract';

/** Returns a preview for tests, in which one row is new. */
export function testPreview(registry: string): Preview {
  return {
    registry,
    state: 'would-publish',
    paused: null,
    guard: {
      verdict: 'pass',
      compared: 'rowCount',
      countBefore: 0,
      countAfter: 1,
      lostPercent: 0,
      maxShrinkPercent: 20,
      allowEmpty: false,
    },
    rowCount: 1,
    rowCountBefore: 0,
    sourceRowCount: 1,
    serverCount: 1,
    skillCount: 0,
    pluginCount: 0,
    diff: {
      added: 1,
      updated: 0,
      removed: 0,
      samples: { added: ['a@1'], updated: [], removed: [] },
    },
    changes: [],
    quarantined: { count: 0, samples: [] },
    upstream: { requests: 1, bytes: 2 },
    startedAt: '2026-02-01T12:00:00.000Z',
    durationMs: 3,
  };
}
