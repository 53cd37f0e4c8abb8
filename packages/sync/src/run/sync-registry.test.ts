import { SynclineError } from '@syncline/contract';
import { describe, expect, test, vi } from 'vitest';
import { filterHash, sourceHash } from '../decide/should-sync.ts';
import type { Tick } from '../ports/tick-source.ts';
import {
  configOf,
  createSyncHarness,
  ran,
  request,
  START_MS,
  type SyncHarness,
  server,
  servers,
  suiteIngestPool,
  TICK,
  untilAborted,
} from '../testing/sync-harness.ts';

const ingest = suiteIngestPool();
const NOW = new Date(START_MS).toISOString();
const MINUTE_MS = 60_000;

describe('published', () => {
  test('a first run publishes the rows of the source, and records the run', async () => {
    const sync = createSyncHarness({ ingest });
    const run = ran(await sync.sync());
    expect(await sync.served()).toEqual(['server-000', 'server-001', 'server-002']);
    expect(run).toMatchObject({
      id: `alpha:${START_MS * 1_000}`,
      trigger: 'schedule',
      reason: 'registry-not-ready',
      outcome: 'published',
      startedAt: NOW,
      rowCount: 3,
      upstream: { requests: 1 },
      diff: { added: 3, updated: 0, removed: 0 },
      quarantined: { count: 0, samples: [] },
    });
    const registry = sync.config.registry('alpha');
    if (registry === undefined) throw new Error('the config has alpha');
    expect(sync.status()).toMatchObject({
      phase: 'Complete',
      snapshot: run.snapshot,
      revision: 'r1',
      serverCount: 3,
      versionCount: 3,
      lastSuccessAt: NOW,
      lastSyncAt: NOW,
      lastChangeAt: NOW,
      lastAttemptAt: NOW,
      startsWithoutFinish: 0,
      consecutiveFailures: 0,
      sourceHash: sourceHash(registry),
      filterHash: filterHash(registry),
    });
    expect(sync.status()?.owner).toBeUndefined();
    expect(sync.state.of('alpha').runs).toEqual([run]);
    expect(sync.observer.runs).toEqual([run]);
  });

  test('a change is published with its exact diff', async () => {
    const sync = createSyncHarness({ ingest });
    await sync.sync();
    sync.clock.advance(MINUTE_MS);
    sync.upstream.rows = [...servers(2), server('server-001', { description: 'new' }), server('z')];
    sync.upstream.rows.splice(1, 1);
    sync.upstream.revision = 'r2';
    expect(ran(await sync.sync())).toMatchObject({
      outcome: 'published',
      reason: 'source-data-changed',
      diff: {
        added: 1,
        updated: 1,
        removed: 1,
        samples: {
          added: ['z@1.0.0'],
          updated: ['server-001@1.0.0'],
          removed: ['server-002@1.0.0'],
        },
      },
    });
    expect(await sync.served()).toEqual(['server-000', 'server-001', 'z']);
  });

  test('an invalid row is quarantined, and the others are published', async () => {
    const sync = createSyncHarness({ ingest });
    sync.upstream.rows = [server('good'), { name: 'bad', version: '1' }];
    expect(ran(await sync.sync())).toMatchObject({
      outcome: 'published',
      rowCount: 1,
      quarantined: {
        count: 1,
        samples: [{ row: 'bad@1', reason: expect.stringMatching(/description/) }],
      },
    });
    expect(sync.status()?.quarantinedCount).toBe(1);
  });

  test('skills and plugins are published, even if nothing else changes', async () => {
    const sync = createSyncHarness({ ingest });
    const give = (revision: string, data: object) => {
      sync.upstream.revision = revision;
      sync.upstream.bodies = [
        { body: JSON.stringify({ data: { servers: servers(2), ...data } }) },
        { body: JSON.stringify({ data: { skills: [{ name: 'last' }] } }) },
      ];
    };
    const carried = async (kind: 'skills' | 'plugins') => (await sync.open())?.attachment(kind);
    give('r1', { skills: [{ name: 'one', n: 1 }], plugins: [{ name: 'p' }] });
    await sync.sync();
    expect(sync.status()).toMatchObject({ skillCount: 2, pluginCount: 1 });
    expect(await carried('skills')).toEqual([{ name: 'one', n: 1 }, { name: 'last' }]);
    expect(await carried('plugins')).toEqual([{ name: 'p' }]);

    give('r2', { skills: [{ name: 'one', n: 1 }], plugins: [{ name: 'p' }] });
    expect(ran(await sync.sync())).toMatchObject({ outcome: 'unchanged' });

    give('r3', { skills: [{ name: 'one', n: 2 }], plugins: [{ name: 'p' }] });
    const run = ran(await sync.sync());
    expect(run).toMatchObject({ outcome: 'published', diff: { added: 0, updated: 0, removed: 0 } });
    expect(sync.status()?.snapshot).toBe(run.snapshot);
    expect(await carried('skills')).toEqual([{ name: 'one', n: 2 }, { name: 'last' }]);

    // A snapshot that has lost them is rebuilt.
    const blobs = sync.state.of('alpha').chunks;
    blobs.delete([...blobs.keys()].at(-1) ?? '');
    give('r4', { skills: [{ name: 'one', n: 2 }], plugins: [{ name: 'p' }] });
    expect(ran(await sync.sync())).toMatchObject({ outcome: 'published' });
    expect(await carried('plugins')).toEqual([{ name: 'p' }]);
    expect(await carried('skills')).toEqual([{ name: 'one', n: 2 }, { name: 'last' }]);
  });

  test('a changed filter is applied to unchanged data', async () => {
    const sync = createSyncHarness({ ingest });
    await sync.sync();
    const filter = { names: { include: ['*-001'] } };
    sync.config.replace(configOf({ name: 'alpha', filter, guard: { maxShrinkPercent: 100 } }));
    expect(ran(await sync.sync())).toMatchObject({
      reason: 'filter-changed',
      outcome: 'published',
    });
    expect(await sync.served()).toEqual(['server-001']);
    expect(ran(await sync.sync())).toMatchObject({ outcome: 'unchanged' });
  });

  test('a run that misses the served manifest rebuilds everything', async () => {
    const sync = createSyncHarness({ ingest });
    await sync.sync();
    sync.state.of('alpha').manifests.clear();
    sync.upstream.revision = 'r2';
    expect(ran(await sync.sync())).toMatchObject({ outcome: 'published', diff: { added: 3 } });
    expect(await sync.served()).toHaveLength(3);
  });

  test('a run that misses a served chunk rebuilds everything', async () => {
    const sync = createSyncHarness({ ingest });
    sync.upstream.rows = servers(500);
    await sync.sync();
    const { chunks } = sync.state.of('alpha');
    const [lost = ''] = chunks.keys();
    chunks.delete(lost);
    sync.upstream.rows = [...servers(500), server('z')];
    sync.upstream.revision = 'r2';
    expect(ran(await sync.sync())).toMatchObject({ outcome: 'published' });
    expect(await sync.served()).toHaveLength(501);
  });
});

describe('unchanged', () => {
  test('an unchanged source is not fetched, and its tick leaves no run record', async () => {
    const sync = createSyncHarness({ ingest });
    await sync.sync();
    sync.clock.advance(MINUTE_MS);
    expect(ran(await sync.sync())).toMatchObject({
      outcome: 'unchanged',
      reason: 'up-to-date-with-policy',
    });
    expect(sync.upstream.counts).toEqual({ probes: 1, fetches: 1 });
    expect(sync.state.of('alpha').runs).toHaveLength(1);
    expect(sync.status()).toMatchObject({
      phase: 'Complete',
      lastSuccessAt: new Date(START_MS + MINUTE_MS).toISOString(),
      lastSyncAt: NOW,
      lastChangeAt: NOW,
    });
  });

  test('a request without a change still has a run record', async () => {
    const sync = createSyncHarness({ ingest });
    await sync.sync();
    const run = ran(await sync.sync(request()));
    expect(run).toMatchObject({ outcome: 'unchanged', handledRequest: 1 });
    expect(run.reason).toBe('manual-sync-no-data-changes');
    expect(sync.state.of('alpha').runs[0]).toEqual(run);
  });

  test('the same rows under a new revision publish nothing', async () => {
    const sync = createSyncHarness({ ingest });
    await sync.sync();
    const before = sync.status()?.snapshot;
    sync.upstream.revision = 'r2';
    expect(ran(await sync.sync())).toMatchObject({ outcome: 'unchanged', diff: { added: 0 } });
    expect(sync.status()).toMatchObject({ snapshot: before, revision: 'r2' });
    expect(sync.state.of('alpha').manifests.size).toBe(1);
  });

  test('a forced request fetches a source that seems unchanged', async () => {
    const sync = createSyncHarness({ ingest });
    await sync.sync();
    await sync.sync(request({ force: true }));
    expect(sync.upstream.counts).toEqual({ probes: 0, fetches: 2 });
    expect(sync.state.of('alpha').control).toMatchObject({
      requested: 1,
      handled: 1,
      force: false,
    });
  });

  test('a due full read fetches a source that seems unchanged', async () => {
    const sync = createSyncHarness({ ingest });
    await sync.sync();
    sync.clock.advance(24 * 60 * MINUTE_MS);
    expect(ran(await sync.sync())).toMatchObject({ reason: 'reconcile-due', outcome: 'unchanged' });
    expect(sync.upstream.counts.fetches).toBe(2);
  });

  test('a run whose cheap check fails fetches the source', async () => {
    const sync = createSyncHarness({ ingest });
    await sync.sync();
    sync.upstream.beforeProbe = () => {
      throw new SynclineError('source-unreachable', 'no answer');
    };
    expect(ran(await sync.sync())).toMatchObject({ reason: 'error-checking-data-changes' });
    expect(sync.upstream.counts.fetches).toBe(2);
  });
});

describe('skipped', () => {
  test('a suspended registry is not synced, and keeps its served snapshot', async () => {
    const sync = createSyncHarness({ ingest });
    await sync.sync();
    sync.state.of('alpha').control.suspended = true;
    expect(ran(await sync.sync(request()))).toMatchObject({
      outcome: 'skipped',
      reason: 'suspended',
      handledRequest: 1,
    });
    expect(sync.upstream.counts).toEqual({ probes: 0, fetches: 1 });
    expect(await sync.served()).toHaveLength(3);
    expect(sync.status()).toMatchObject({ phase: 'Complete', message: 'suspended' });
  });
});

describe('a recurring tick soon after a run', () => {
  const SECOND_MS = 1_000;
  const RECURRING: Tick = { ...TICK, recurs: true };
  const config = (changes: object = { syncPolicy: { interval: '10s' } }) =>
    configOf({ name: 'alpha', ...changes });

  /** Returns the state of a tick that comes this long after the start of a run of two seconds. */
  async function tickAfter(sync: SyncHarness, ageMs: number, tick = RECURRING) {
    sync.upstream.beforeFetch = () => sync.clock.advance(2 * SECOND_MS);
    await sync.sync(tick);
    sync.upstream.revision = 'r2';
    sync.clock.advance(ageMs - 2 * SECOND_MS);
    return (await sync.sync(tick)).state;
  }

  test.each([
    { interval: '10s', ageMs: 4_999, state: 'superseded' },
    { interval: '10s', ageMs: 5_000, state: 'ran' },
    { interval: '12h', ageMs: 29_999, state: 'superseded' },
    { interval: '12h', ageMs: 30_000, state: 'ran' },
  ])(
    'gets the state $state at an interval of $interval, $ageMs ms after the run began',
    async ({ interval, ageMs, state }) => {
      const sync = createSyncHarness({ ingest, config: config({ syncPolicy: { interval } }) });
      expect(await tickAfter(sync, ageMs)).toBe(state);
    },
  );

  test('leaves the status unchanged if it is superseded', async () => {
    const sync = createSyncHarness({ ingest, config: config() });
    await sync.sync(RECURRING);
    const before = sync.status();
    sync.clock.advance(SECOND_MS);
    expect(await sync.sync(RECURRING)).toEqual({ state: 'superseded' });
    expect(sync.status()).toEqual({ ...before, term: expect.any(String) });
    sync.clock.advance(4 * SECOND_MS);
    expect(ran(await sync.sync(RECURRING))).toMatchObject({ outcome: 'unchanged' });
  });

  test.each<[what: string, tick: Tick, changes?: object]>([
    ['a tick of another producer', TICK],
    ['a request', request()],
    ['a retry', { ...RECURRING, trigger: 'retry' }],
    [
      'a tick of a cron pattern',
      RECURRING,
      { schedule: { pattern: '* * * * *', timezone: 'UTC' } },
    ],
  ])('still runs: %s', async (_what, tick, changes) => {
    const sync = createSyncHarness({ ingest, config: config(changes) });
    expect(await tickAfter(sync, 3 * SECOND_MS, tick)).toBe('ran');
  });

  test('is not superseded by an interrupted or failed run', async () => {
    const sync = createSyncHarness({ ingest, config: config() });
    await sync.sync(RECURRING);
    sync.clock.advance(10 * SECOND_MS);
    sync.upstream.revision = 'r2';
    sync.upstream.beforeFetch = untilAborted;
    const stop = new AbortController();
    const stopped = sync.sync(RECURRING, stop.signal);
    await vi.waitFor(() => expect(sync.upstream.counts.fetches).toBe(2));
    stop.abort();
    expect(ran(await stopped)).toMatchObject({ outcome: 'interrupted' });
    sync.upstream.beforeFetch = () => {
      throw new Error('upstream is broken');
    };
    expect(ran(await sync.sync(RECURRING))).toMatchObject({ outcome: 'failed' });
    expect(ran(await sync.sync(RECURRING))).toMatchObject({ outcome: 'skipped' });
  });

  test('runs if the clock of the store has gone back since the run', async () => {
    const sync = createSyncHarness({ ingest, config: config() });
    await sync.sync(RECURRING);
    sync.clock.advance(-MINUTE_MS);
    expect((await sync.sync(RECURRING)).state).toBe('ran');
  });

  test('runs if a request is open', async () => {
    const sync = createSyncHarness({ ingest, config: config() });
    await sync.sync(RECURRING);
    sync.state.of('alpha').control.requested = 1;
    expect(ran(await sync.sync(RECURRING))).toMatchObject({ handledRequest: 1 });
  });
});

describe('held', () => {
  const shrunk = async () => {
    const sync = createSyncHarness({ ingest });
    sync.upstream.rows = servers(100);
    await sync.sync();
    sync.clock.advance(MINUTE_MS);
    sync.upstream.rows = servers(10);
    sync.upstream.revision = 'r2';
    return sync;
  };

  test('a state that lost too many rows is held, and the served snapshot stays', async () => {
    const sync = await shrunk();
    const served = sync.status()?.snapshot;
    const run = ran(await sync.sync());
    expect(run).toMatchObject({ outcome: 'held', rowCount: 10, diff: { removed: 90 } });
    expect(await sync.served()).toHaveLength(100);
    expect(sync.status()).toMatchObject({
      phase: 'Complete',
      snapshot: served,
      versionCount: 100,
      held: {
        snapshot: run.snapshot,
        since: new Date(START_MS + MINUTE_MS).toISOString(),
        reason: 'shrink',
        rowCountBefore: 100,
        rowCountAfter: 10,
      },
    });
    expect(sync.status()?.revision).toBeUndefined();
  });

  test('the same state stays held under its first digest and time', async () => {
    const sync = await shrunk();
    await sync.sync();
    const held = sync.status()?.held;
    for (let tick = 0; tick < 3; tick += 1) {
      sync.clock.advance(MINUTE_MS);
      expect(ran(await sync.sync())).toMatchObject({ outcome: 'held', snapshot: held?.snapshot });
      expect(sync.status()?.held).toEqual(held);
    }
    expect(sync.state.of('alpha').manifests.has(held?.snapshot ?? '')).toBe(true);
  });

  test('a newer held state replaces the older one', async () => {
    const sync = await shrunk();
    await sync.sync();
    const before = sync.status()?.held;
    sync.clock.advance(MINUTE_MS);
    sync.upstream.rows = servers(11);
    await sync.sync();
    expect(sync.status()?.held).toMatchObject({ rowCountAfter: 11 });
    expect(sync.status()?.held?.snapshot).not.toBe(before?.snapshot);
  });

  test('a later state that passes the guard is published', async () => {
    const sync = await shrunk();
    await sync.sync();
    sync.upstream.rows = servers(90);
    sync.upstream.revision = 'r3';
    expect(ran(await sync.sync())).toMatchObject({ outcome: 'published' });
    expect(sync.status()?.held).toBeUndefined();
    expect(await sync.served()).toHaveLength(90);
  });

  test('nothing stays held after the source reverts the change', async () => {
    const sync = await shrunk();
    await sync.sync();
    sync.upstream.rows = servers(100);
    expect(ran(await sync.sync())).toMatchObject({ outcome: 'unchanged' });
    expect(sync.status()?.held).toBeUndefined();
  });

  test('a first state without rows is held', async () => {
    const sync = createSyncHarness({ ingest });
    sync.upstream.rows = [];
    expect(ran(await sync.sync())).toMatchObject({ outcome: 'held' });
    expect(sync.status()).toMatchObject({ held: { reason: 'empty', rowCountBefore: 0 } });
    expect(await sync.served()).toBeUndefined();
  });

  test('a guard that is loosened in the config lets the held state pass', async () => {
    const sync = await shrunk();
    await sync.sync();
    sync.config.replace(configOf({ name: 'alpha', guard: { maxShrinkPercent: 95 } }));
    expect(ran(await sync.sync())).toMatchObject({ outcome: 'published' });
    expect(await sync.served()).toHaveLength(10);
  });
});

describe('failed', () => {
  const failing = async () => {
    const sync = createSyncHarness({ ingest });
    await sync.sync();
    sync.upstream.revision = 'r2';
    sync.upstream.beforeFetch = () => {
      throw new SynclineError('source-http-status', 'it answered 500');
    };
    return sync;
  };

  test('a failure keeps the last good snapshot, its counts and its revision', async () => {
    const sync = await failing();
    const before = sync.status();
    const run = ran(await sync.sync());
    const nextTryAt = new Date(START_MS + 5_000).toISOString();
    expect(run).toMatchObject({
      outcome: 'failed',
      reason: 'source-data-changed',
      error: { code: 'source-http-status', message: 'it answered 500', nextTryAt },
    });
    expect(sync.status()).toMatchObject({
      phase: 'Failed',
      errorCode: 'source-http-status',
      consecutiveFailures: 1,
      nextDueAt: nextTryAt,
      snapshot: before?.snapshot,
      revision: 'r1',
      versionCount: 3,
      lastSuccessAt: NOW,
    });
    expect(await sync.served()).toHaveLength(3);
    expect(sync.state.of('alpha').runs[0]).toEqual(run);
  });

  test('ticks are skipped until the next try is due, but requests run', async () => {
    const sync = await failing();
    await sync.sync();
    sync.clock.advance(4_999);
    expect(ran(await sync.sync())).toMatchObject({ outcome: 'skipped', reason: 'backing-off' });
    expect(sync.status()).toMatchObject({ phase: 'Failed', consecutiveFailures: 1 });
    expect(ran(await sync.sync(request()))).toMatchObject({ outcome: 'failed' });
    expect(sync.status()).toMatchObject({ consecutiveFailures: 2 });
    sync.clock.advance(10_000);
    expect(ran(await sync.sync())).toMatchObject({ outcome: 'failed' });
  });

  test('a success clears the failure', async () => {
    const sync = await failing();
    await sync.sync();
    sync.clock.advance(5_000);
    sync.upstream.beforeFetch = () => {};
    expect(ran(await sync.sync())).toMatchObject({ outcome: 'unchanged' });
    const status = sync.status();
    expect(status).toMatchObject({ phase: 'Complete', consecutiveFailures: 0 });
    expect(status?.errorCode).toBeUndefined();
    expect(status?.nextDueAt).toBeUndefined();
    expect(status?.message).toBeUndefined();
  });

  test('a registry whose first sync fails is Failed, and serves nothing', async () => {
    const sync = createSyncHarness({ ingest });
    sync.upstream.beforeFetch = () => {
      throw new SynclineError('source-timeout', 'no answer');
    };
    await sync.sync();
    expect(sync.status()).toMatchObject({ phase: 'Failed' });
    expect(await sync.served()).toBeUndefined();
  });

  test('an unexpected error fails only the run', async () => {
    const sync = await failing();
    sync.upstream.beforeFetch = () => {
      throw new TypeError('cannot read properties of undefined');
    };
    expect(ran(await sync.sync())).toMatchObject({
      outcome: 'failed',
      error: { code: 'internal' },
    });
  });

  test('a body that is not a registry fails the run', async () => {
    const sync = createSyncHarness({ ingest });
    sync.upstream.rows = Object.create(null);
    expect(ran(await sync.sync())).toMatchObject({
      outcome: 'failed',
      error: { code: 'source-not-a-registry' },
    });
  });

  test('a run that exceeds its timeout is aborted, and counts as failed', async () => {
    const sync = createSyncHarness({
      ingest,
      config: configOf({ name: 'alpha', syncPolicy: { timeout: '1s' } }),
    });
    let aborted = false;
    sync.upstream.beforeFetch = (context) =>
      untilAborted(context).finally(() => {
        aborted = true;
      });
    expect(ran(await sync.sync())).toMatchObject({
      outcome: 'failed',
      error: { code: 'run-timeout' },
    });
    expect(aborted).toBe(true);
    expect(sync.status()?.owner).toBeUndefined();
  });

  test('a request whose run fails counts as handled', async () => {
    const sync = await failing();
    const result = await sync.sync(request());
    expect(result).toMatchObject({ followUps: [{ kind: 'retry' }] });
    expect(ran(result)).toMatchObject({ outcome: 'failed', handledRequest: 1 });
  });
});
