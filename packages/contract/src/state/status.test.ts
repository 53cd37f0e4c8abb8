import { describe, expect, test } from 'vitest';
import {
  changeStatus,
  PENDING_STATUS,
  readStatus,
  settledPhase,
  statusFields,
  statusSchema,
} from './status.ts';

const NOW_MS = Date.parse('2026-02-01T12:00:00Z');
const SUCCESS = '2026-02-01T11:00:00.000Z';

describe('readStatus', () => {
  const syncing = changeStatus(PENDING_STATUS, {
    phase: 'Syncing',
    term: '1',
    owner: 'alice',
    message: 'read 100 rows',
    leaseUntil: NOW_MS + 1,
  });

  test('shows a run while its lease lasts', () => {
    expect(readStatus(syncing, NOW_MS)).toBe(syncing);
  });

  test.each([
    ['a registry that was never synced', {}, 'Pending'],
    ['one that was', { lastSuccessAt: SUCCESS }, 'Complete'],
    ['one that was failing', { lastSuccessAt: SUCCESS, consecutiveFailures: 1 }, 'Failed'],
  ])('after that shows %s as it was', (_what, changes, phase) => {
    const shown = readStatus(changeStatus(syncing, changes), NOW_MS + 1);
    expect(shown).toMatchObject({ phase, message: expect.stringContaining('interrupted') });
  });

  test('a run without a lease is over', () => {
    const status = changeStatus(syncing, { leaseUntil: undefined });
    expect(readStatus(status, 0)).toMatchObject({ phase: 'Pending' });
  });

  test('shows any other phase as it is', () => {
    const complete = changeStatus(PENDING_STATUS, { phase: 'Complete' });
    expect(readStatus(complete, NOW_MS)).toBe(complete);
  });
});

test.each([
  [{}, 'Pending'],
  [{ consecutiveFailures: 0 }, 'Pending'],
  [{ lastSuccessAt: SUCCESS }, 'Complete'],
  [{ consecutiveFailures: 2 }, 'Failed'],
  [{ lastSuccessAt: SUCCESS, consecutiveFailures: 2 }, 'Failed'],
] as const)('%j settles as %s', (status, phase) => {
  expect(settledPhase(status)).toBe(phase);
});

describe('a status as a Redis hash', () => {
  const held = {
    snapshot: 'a',
    since: SUCCESS,
    reason: 'empty',
    rowCountBefore: 1,
    rowCountAfter: 0,
  } as const;

  test('comes back as it was', () => {
    const { set, remove } = statusFields({ held, versionCount: 3, phase: 'Failed', message: 'x' });
    expect(remove).toEqual([]);
    expect(Object.values(set).every((value) => typeof value === 'string')).toBe(true);
    expect(statusSchema.parse(set)).toEqual({
      ...PENDING_STATUS,
      held,
      versionCount: 3,
      phase: 'Failed',
      message: 'x',
    });
  });

  test('names what is to be removed', () => {
    expect(statusFields({ message: undefined, durationMs: 0 })).toEqual({
      set: { durationMs: '0' },
      remove: ['message'],
    });
  });

  test('that is empty is a registry that never ran', () => {
    expect(statusSchema.parse({})).toEqual(PENDING_STATUS);
  });
});
