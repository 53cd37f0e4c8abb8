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

  test('shows a run as Syncing while its lease lasts', () => {
    expect(readStatus(syncing, NOW_MS)).toBe(syncing);
  });

  test.each([
    ['Pending if it has not been synced yet', {}, 'Pending'],
    ['Complete if it was synced before', { lastSuccessAt: SUCCESS }, 'Complete'],
    [
      'Failed if it was failing before',
      { lastSuccessAt: SUCCESS, consecutiveFailures: 1 },
      'Failed',
    ],
  ])('shows a registry whose lease has ended as %s', (_what, changes, phase) => {
    const shown = readStatus(changeStatus(syncing, changes), NOW_MS + 1);
    expect(shown).toMatchObject({ phase, message: expect.stringContaining('interrupted') });
  });

  test('shows a run without a lease as ended', () => {
    const status = changeStatus(syncing, { leaseUntil: undefined });
    expect(readStatus(status, 0)).toMatchObject({ phase: 'Pending' });
  });

  test('shows any other phase unchanged', () => {
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
] as const)('the settled phase of %j is %s', (status, phase) => {
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

  test('is read as it was written', () => {
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

  test('lists the fields to remove', () => {
    expect(statusFields({ message: undefined, durationMs: 0 })).toEqual({
      set: { durationMs: '0' },
      remove: ['message'],
    });
  });

  test('without fields is the status of a registry that never ran', () => {
    expect(statusSchema.parse({})).toEqual(PENDING_STATUS);
  });
});
