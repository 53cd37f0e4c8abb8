import { changeStatus, controlSchema, PENDING_STATUS } from '@syncline/contract';
import { registryConfig } from '@syncline/contract/testing';
import { describe, expect, test } from 'vitest';
import {
  decideSyncNeed,
  filterHash,
  type SyncNeed,
  type SyncNeedInput,
  sourceHash,
} from './should-sync.ts';

const NOW_MS = Date.parse('2026-02-01T12:00:00Z');
const registry = registryConfig();
const SNAPSHOT = 'a'.repeat(64);
const NONE = controlSchema.parse({});

/** A registry that is up to date and whose tick has come. */
const SYNCED: SyncNeedInput = {
  registry,
  control: NONE,
  trigger: 'schedule',
  force: false,
  nowMs: NOW_MS,
  status: changeStatus(PENDING_STATUS, {
    phase: 'Complete',
    snapshot: SNAPSHOT,
    revision: 'r1',
    sourceHash: sourceHash(registry),
    filterHash: filterHash(registry),
    lastSyncAt: '2026-02-01T11:00:00.000Z',
    lastSuccessAt: '2026-02-01T11:00:00.000Z',
  }),
};

function synced(changes: Partial<SyncNeedInput>): SyncNeedInput {
  return { ...SYNCED, ...changes };
}

function status(changes: Parameters<typeof changeStatus>[1]): Partial<SyncNeedInput> {
  return { status: changeStatus(SYNCED.status, changes) };
}

const DAILY = { registry: registryConfig({ schedule: { pattern: '0 12 * * *' } }) };
const HOURLY = { registry: registryConfig({ schedule: { pattern: '0 * * * *' } }) };
const FAILING = status({ consecutiveFailures: 2, nextDueAt: '2026-02-01T12:00:01.000Z' });
const OTHER_FILTER = { registry: registryConfig({ filter: { names: { include: ['a*'] } } }) };
const MIRROR = 'b'.repeat(64);
/** What is served was filtered. */
function filtered(changes: Parameters<typeof changeStatus>[1]): Partial<SyncNeedInput> {
  return status({ filterHash: 'of another filter', mirror: MIRROR, ...changes });
}
const CRASHING = status({
  errorCode: 'run-crashed',
  consecutiveFailures: 2,
  nextDueAt: '2026-02-01T12:00:01.000Z',
});

describe('decideSyncNeed', () => {
  test.each<[why: string, input: Partial<SyncNeedInput>, need: Partial<SyncNeed>]>([
    [
      'the source is asked whether it has changed',
      {},
      {
        need: 'probe',
        known: 'r1',
        changed: 'source-data-changed',
        unchanged: 'up-to-date-with-policy',
      } as Partial<SyncNeed>,
    ],
    [
      'a request gets the reason',
      { trigger: 'manual' },
      {
        need: 'probe',
        changed: 'manual-sync-with-data-changes',
        unchanged: 'manual-sync-no-data-changes',
      } as Partial<SyncNeed>,
    ],
    [
      'a webhook asks as well',
      { trigger: 'webhook' },
      { need: 'probe', unchanged: 'manual-sync-no-data-changes' } as Partial<SyncNeed>,
    ],
    [
      'the config suspends',
      { registry: registryConfig({ suspended: true }) },
      { need: 'none', reason: 'suspended' },
    ],
    [
      'an operator suspends, for any request',
      { control: { ...NONE, suspended: true }, trigger: 'manual', force: true },
      { need: 'none', reason: 'suspended' },
    ],
    [
      'a rollback has pinned what is served',
      { control: { ...NONE, pinned: 'b'.repeat(64) }, trigger: 'manual' },
      { need: 'none', reason: 'suspended' },
    ],
    ['it is failing, and not yet due', FAILING, { need: 'none', reason: 'backing-off' }],
    ['a retry waits until it is due', { ...FAILING, trigger: 'retry' }, { reason: 'backing-off' }],
    ['but not for who asks', { ...FAILING, trigger: 'manual' }, { need: 'probe' }],
    ['nor for who forces', { ...FAILING, force: true }, { need: 'fetch' }],
    [
      'what ends its process waits also for who asks',
      { ...CRASHING, trigger: 'manual' },
      { need: 'none', reason: 'backing-off' },
    ],
    ['but not for who forces', { ...CRASHING, force: true }, { need: 'fetch' }],
    [
      'it is failing, and due',
      status({ consecutiveFailures: 2, nextDueAt: '2026-02-01T12:00:00.000Z' }),
      { need: 'probe' },
    ],
    [
      'it was never published',
      { status: PENDING_STATUS },
      { need: 'fetch', reason: 'registry-not-ready' },
    ],
    [
      'another source is configured',
      { registry: registryConfig({ file: { path: '/other.json' } }) },
      { need: 'fetch', reason: 'config-changed' },
    ],
    [
      'another filter is configured',
      OTHER_FILTER,
      { need: 'fetch', reason: 'filter-changed', mirror: SNAPSHOT },
    ],
    [
      'the filter is removed',
      filtered({ mirrorSyncAt: '2026-02-01T11:00:00.000Z' }),
      { need: 'fetch', reason: 'filter-changed', mirror: MIRROR },
    ],
    [
      'a worker of an older version has synced since the mirror was stored',
      filtered({ mirrorSyncAt: '2026-02-01T10:00:00.000Z' }),
      { need: 'fetch', reason: 'filter-changed' },
    ],
    [
      'another filter does not wait while the source fails',
      { ...FAILING, ...OTHER_FILTER },
      { reason: 'filter-changed', mirror: SNAPSHOT } as Partial<SyncNeed>,
    ],
    [
      'except if it may be what kills the process',
      { ...CRASHING, ...OTHER_FILTER },
      { need: 'none', reason: 'backing-off' },
    ],
    [
      'what another filter leaves is held already',
      {
        ...OTHER_FILTER,
        ...status({
          held: {
            snapshot: MIRROR,
            since: '2026-02-01T11:00:00.000Z',
            reason: 'empty',
            rowCountBefore: 1,
            rowCountAfter: 0,
            filterHash: filterHash(OTHER_FILTER.registry),
          },
        }),
      },
      { need: 'fetch', reason: 'filter-changed' },
    ],
    [
      'another source and another filter are configured',
      {
        registry: registryConfig({
          file: { path: '/other.json' },
          filter: { names: { include: ['a*'] } },
        }),
      },
      { need: 'fetch', reason: 'config-changed' },
    ],
    [
      'an older version has stored only what passed the filter',
      { ...OTHER_FILTER, ...status({ filterHash: filterHash(OTHER_FILTER.registry) }) },
      { need: 'fetch', reason: 'reconcile-due' },
    ],
    [
      'another interval is not another source',
      { registry: registryConfig({ syncPolicy: { interval: '5s' } }) },
      { need: 'probe' },
    ],
    [
      'who forces has it fetched',
      { trigger: 'manual', force: true },
      { need: 'fetch', reason: 'manual-sync-with-data-changes' },
    ],
    [
      'everything is to be read again',
      status({ lastSyncAt: '2026-01-31T12:00:00.000Z' }),
      { need: 'fetch', reason: 'reconcile-due' },
    ],
    [
      'everything would be overdue at the next firing of the schedule',
      { ...status({ lastSyncAt: '2026-01-31T12:00:04.000Z' }), ...DAILY },
      { need: 'fetch', reason: 'reconcile-due' },
    ],
    [
      'it is not yet overdue then',
      { ...status({ lastSyncAt: '2026-02-01T11:00:04.000Z' }), ...HOURLY },
      { need: 'probe' },
    ],
    [
      'who asks between two firings does not have everything read',
      { ...status({ lastSyncAt: '2026-01-31T12:00:04.000Z' }), ...DAILY, trigger: 'manual' },
      { need: 'probe' },
    ],
    [
      'it is not known when everything was read',
      status({ lastSyncAt: undefined }),
      { need: 'fetch', reason: 'reconcile-due' },
    ],
    [
      'the state that was read has no mark',
      status({ revision: undefined }),
      { need: 'fetch', reason: 'source-data-changed' },
    ],
  ])('%s', (_why, input, need) => {
    const decided = decideSyncNeed(synced(input));
    expect(decided).toMatchObject(need);
    expect('mirror' in decided).toBe('mirror' in need);
  });

  test('the same input gives the same answer', () => {
    expect(decideSyncNeed(SYNCED)).toEqual(decideSyncNeed(structuredClone(SYNCED)));
  });
});
