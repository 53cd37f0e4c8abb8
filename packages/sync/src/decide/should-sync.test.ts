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
  served: SNAPSHOT,
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
/** A registry whose served snapshot was filtered. */
function filtered(changes: Parameters<typeof changeStatus>[1]): Partial<SyncNeedInput> {
  return status({ filterHash: 'of another filter', mirror: MIRROR, ...changes });
}
const CRASHING = status({
  errorCode: 'run-crashed',
  consecutiveFailures: 2,
  nextDueAt: '2026-02-01T12:00:01.000Z',
});

const LOST = { served: undefined };
const RESTORE = { need: 'fetch', reason: 'registry-not-ready', restore: true };

describe('a pointer that something else has changed', () => {
  test.each<[why: string, input: Partial<SyncNeedInput>, need: unknown]>([
    ['is restored', LOST, RESTORE],
    ['is restored if it names another snapshot', { served: 'b'.repeat(64) }, RESTORE],
    ['is restored while the source fails', { ...LOST, ...FAILING }, RESTORE],
    [
      'is restored by the sync that an operator asked for',
      { ...LOST, trigger: 'manual' },
      { need: 'fetch', reason: 'registry-not-ready' },
    ],
    [
      'does not replace a thorough sync',
      { ...LOST, trigger: 'manual', force: true },
      { need: 'fetch', reason: 'manual-sync-with-data-changes' },
    ],
    [
      'does not serve the rows of another source',
      { ...LOST, ...status({ sourceHash: 'other' }) },
      { need: 'fetch', reason: 'config-changed' },
    ],
    [
      'does not end a suspension',
      { ...LOST, control: { ...NONE, suspended: true } },
      { need: 'none', reason: 'suspended', message: 'suspended' },
    ],
  ])('%s', (_why, input, need) => {
    expect(decideSyncNeed(synced(input))).toEqual(need);
  });
});

describe('decideSyncNeed', () => {
  test.each<[why: string, input: Partial<SyncNeedInput>, need: Partial<SyncNeed>]>([
    [
      'a due tick probes the source for a change',
      {},
      {
        need: 'probe',
        known: 'r1',
        changed: 'source-data-changed',
        unchanged: 'up-to-date-with-policy',
      } as Partial<SyncNeed>,
    ],
    [
      'a manual request probes the source, and gives the request as the reason',
      { trigger: 'manual' },
      {
        need: 'probe',
        changed: 'manual-sync-with-data-changes',
        unchanged: 'manual-sync-no-data-changes',
      } as Partial<SyncNeed>,
    ],
    [
      'a webhook probes the source like a manual request',
      { trigger: 'webhook' },
      { need: 'probe', unchanged: 'manual-sync-no-data-changes' } as Partial<SyncNeed>,
    ],
    [
      'a registry that the config suspends does nothing',
      { registry: registryConfig({ suspended: true }) },
      { need: 'none', reason: 'suspended' },
    ],
    [
      'a registry that an operator suspends does nothing, even for a forced request',
      { control: { ...NONE, suspended: true }, trigger: 'manual', force: true },
      { need: 'none', reason: 'suspended' },
    ],
    [
      'a registry that a rollback has pinned does nothing',
      { control: { ...NONE, pinned: 'b'.repeat(64) }, trigger: 'manual' },
      { need: 'none', reason: 'suspended' },
    ],
    [
      'a failing registry backs off until it is due',
      FAILING,
      { need: 'none', reason: 'backing-off' },
    ],
    [
      'a retry backs off until it is due',
      { ...FAILING, trigger: 'retry' },
      { reason: 'backing-off' },
    ],
    ['a manual request ignores the backoff', { ...FAILING, trigger: 'manual' }, { need: 'probe' }],
    ['a forced run ignores the backoff', { ...FAILING, force: true }, { need: 'fetch' }],
    [
      'a registry that crashed its process backs off even for a manual request',
      { ...CRASHING, trigger: 'manual' },
      { need: 'none', reason: 'backing-off' },
    ],
    [
      'a forced run ignores the backoff after a crash',
      { ...CRASHING, force: true },
      { need: 'fetch' },
    ],
    [
      'a failing registry that is due probes the source',
      status({ consecutiveFailures: 2, nextDueAt: '2026-02-01T12:00:00.000Z' }),
      { need: 'probe' },
    ],
    [
      'a registry that was never published fetches',
      { status: PENDING_STATUS },
      { need: 'fetch', reason: 'registry-not-ready' },
    ],
    [
      'a changed source is fetched',
      { registry: registryConfig({ file: { path: '/other.json' } }) },
      { need: 'fetch', reason: 'config-changed' },
    ],
    [
      'a changed filter is applied to the mirror',
      OTHER_FILTER,
      { need: 'fetch', reason: 'filter-changed', mirror: SNAPSHOT },
    ],
    [
      'a removed filter uses the mirror',
      filtered({ mirrorSyncAt: '2026-02-01T11:00:00.000Z' }),
      { need: 'fetch', reason: 'filter-changed', mirror: MIRROR },
    ],
    [
      'a mirror that is older than the last sync is not used',
      filtered({ mirrorSyncAt: '2026-02-01T10:00:00.000Z' }),
      { need: 'fetch', reason: 'filter-changed' },
    ],
    [
      'a changed filter ignores the backoff of a failing source',
      { ...FAILING, ...OTHER_FILTER },
      { reason: 'filter-changed', mirror: SNAPSHOT } as Partial<SyncNeed>,
    ],
    [
      'a changed filter backs off after a crash',
      { ...CRASHING, ...OTHER_FILTER },
      { need: 'none', reason: 'backing-off' },
    ],
    [
      'a changed filter whose result is already held fetches the source',
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
      'a changed source with a changed filter is fetched',
      {
        registry: registryConfig({
          file: { path: '/other.json' },
          filter: { names: { include: ['a*'] } },
        }),
      },
      { need: 'fetch', reason: 'config-changed' },
    ],
    [
      'a filtered snapshot without a mirror, from an older version, fetches the source',
      { ...OTHER_FILTER, ...status({ filterHash: filterHash(OTHER_FILTER.registry) }) },
      { need: 'fetch', reason: 'reconcile-due' },
    ],
    [
      'a changed interval does not count as a changed source',
      { registry: registryConfig({ syncPolicy: { interval: '5s' } }) },
      { need: 'probe' },
    ],
    [
      'a forced manual request fetches without a probe',
      { trigger: 'manual', force: true },
      { need: 'fetch', reason: 'manual-sync-with-data-changes' },
    ],
    [
      'a due full read fetches the source',
      status({ lastSyncAt: '2026-01-31T12:00:00.000Z' }),
      { need: 'fetch', reason: 'reconcile-due' },
    ],
    [
      'a full read that would be overdue at the next cron firing fetches now',
      { ...status({ lastSyncAt: '2026-01-31T12:00:04.000Z' }), ...DAILY },
      { need: 'fetch', reason: 'reconcile-due' },
    ],
    [
      'a full read that can wait for the next cron firing only probes',
      { ...status({ lastSyncAt: '2026-02-01T11:00:04.000Z' }), ...HOURLY },
      { need: 'probe' },
    ],
    [
      'a manual request between two cron firings only probes',
      { ...status({ lastSyncAt: '2026-01-31T12:00:04.000Z' }), ...DAILY, trigger: 'manual' },
      { need: 'probe' },
    ],
    [
      'an unknown time of the last full read fetches the source',
      status({ lastSyncAt: undefined }),
      { need: 'fetch', reason: 'reconcile-due' },
    ],
    [
      'a status without a revision fetches the source',
      status({ revision: undefined }),
      { need: 'fetch', reason: 'source-data-changed' },
    ],
  ])('%s', (_why, input, need) => {
    const decided = decideSyncNeed(synced(input));
    expect(decided).toMatchObject(need);
    expect('mirror' in decided).toBe('mirror' in need);
  });

  test('the same input gives the same decision', () => {
    expect(decideSyncNeed(SYNCED)).toEqual(decideSyncNeed(structuredClone(SYNCED)));
  });
});
