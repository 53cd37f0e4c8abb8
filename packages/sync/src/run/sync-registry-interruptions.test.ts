import { afterAll, describe, expect, test, vi } from 'vitest';
import { IngestPool } from '../ingest/ingest-pool.ts';
import {
  configOf,
  createSyncHarness,
  ran,
  request,
  type SyncHarness,
  servers,
  suiteIngestPool,
  TICK,
  untilAborted,
} from '../testing/sync-harness.ts';
import { testBudget } from '../testing/test-budget.ts';

const ingest = suiteIngestPool();
const BOB = { registry: 'alpha', owner: 'bob', ttlMs: 60_000, purpose: { kind: 'tick' } } as const;

/** Starts a run that fetches until it is aborted. */
async function startRun(sync: SyncHarness, tick = TICK) {
  const fetching = Promise.withResolvers<void>();
  sync.upstream.beforeFetch = (context) => {
    fetching.resolve();
    return untilAborted(context);
  };
  const stop = new AbortController();
  const result = sync.sync(tick, stop.signal);
  await fetching.promise;
  return { result, stop: () => stop.abort() };
}

describe('interrupted', () => {
  test('a stopped run does not count as failed, and its request stays open', async () => {
    const sync = createSyncHarness({ ingest });
    const { result, stop } = await startRun(sync, request());
    stop();
    const ended = await result;
    expect(ran(ended)).toMatchObject({ outcome: 'interrupted', handledRequest: 0 });
    expect(ended).toMatchObject({
      followUps: [{ kind: 'request', registry: 'alpha', request: 1 }],
    });
    expect(sync.status()).toMatchObject({
      phase: 'Pending',
      consecutiveFailures: 0,
      startsWithoutFinish: 0,
    });
    expect(sync.status()?.owner).toBeUndefined();
  });

  test('a lease that is over before its acquisition is answered starts no work', async () => {
    const sync = createSyncHarness({ ingest });
    const { runStore } = sync.deps;
    const { acquire } = runStore;
    vi.spyOn(runStore, 'acquire').mockImplementation(async (options) => {
      const acquisition = await acquire(options);
      sync.clock.advance(options.ttlMs);
      return acquisition;
    });
    expect(ran(await sync.sync())).toMatchObject({ outcome: 'interrupted' });
    expect(sync.upstream.counts).toEqual({ probes: 0, fetches: 0 });
  });

  test('a stop before the start also interrupts the run', async () => {
    const sync = createSyncHarness({ ingest });
    sync.upstream.beforeFetch = (context) => context.signal.throwIfAborted();
    expect(ran(await sync.sync(TICK, AbortSignal.abort()))).toMatchObject({
      outcome: 'interrupted',
    });
  });

  test('an operator who suspends the registry ends the run at the next renewal', async () => {
    const sync = createSyncHarness({ ingest });
    const { result } = await startRun(sync);
    sync.state.of('alpha').control.suspended = true;
    expect(ran(await result)).toMatchObject({ outcome: 'interrupted' });
    expect(sync.status()?.message).toMatch(/suspended/);
  });

  test('the run of a registry that is removed from the config is ended', async () => {
    const sync = createSyncHarness({ ingest });
    const { result } = await startRun(sync);
    sync.config.replace(configOf({ name: 'beta' }));
    expect(ran(await result)).toMatchObject({ outcome: 'interrupted' });
    expect(await sync.sync()).toEqual({ state: 'unknown-registry' });
  });

  test('a tick of a removed registry takes no lease and changes nothing', async () => {
    const sync = createSyncHarness({ ingest });
    await sync.sync();
    const before = sync.status();
    const acquire = vi.spyOn(sync.deps.runStore, 'acquire');
    sync.config.replace(configOf({ name: 'beta' }));
    expect(await sync.sync()).toEqual({ state: 'unknown-registry' });
    expect(acquire).not.toHaveBeenCalled();
    expect(sync.status()).toEqual(before);
  });
});

describe('a lost lease', () => {
  /** Lets another process take the lease, as if this process had slept. */
  const takeOver = async (sync: SyncHarness) => {
    const { status } = sync.state.of('alpha');
    if (status !== undefined) status.leaseUntil = 1;
    const acquisition = await sync.deps.runStore.acquire(BOB);
    if (acquisition.state !== 'acquired') throw new Error('expected the lease');
    return acquisition.lease;
  };

  test('ends the run at the next renewal, and the run writes nothing', async () => {
    const sync = createSyncHarness({ ingest });
    const { result } = await startRun(sync);
    const lease = await takeOver(sync);
    expect(ran(await result)).toMatchObject({ outcome: 'interrupted' });
    expect(sync.observer.counts).toMatchObject({ refusedWrites: 1, failedRenewals: 1 });
    expect(sync.status()).toMatchObject({ owner: 'bob', term: lease.term });
    expect(sync.state.of('alpha').runs).toEqual([]);
  });

  test('prevents the publication, even if the run has not noticed the loss', async () => {
    const sync = createSyncHarness({ ingest });
    await sync.sync();
    const before = sync.status()?.snapshot;
    sync.upstream.rows = servers(4);
    sync.upstream.revision = 'r2';
    sync.upstream.beforeFetch = async () => void (await takeOver(sync));
    expect(ran(await sync.sync())).toMatchObject({ outcome: 'interrupted' });
    expect(sync.status()).toMatchObject({ owner: 'bob', snapshot: before });
    expect(sync.state.of('alpha').manifests.size).toBe(1);
    expect(await sync.served()).toHaveLength(3);
  });

  test('prevents the publication, even at the very end of the run', async () => {
    const sync = createSyncHarness({ ingest });
    const { runStore } = sync.deps;
    vi.spyOn(runStore, 'publishAndFinish').mockImplementationOnce(async (...args) => {
      await takeOver(sync);
      return runStore.publishAndFinish(...args);
    });
    expect(ran(await sync.sync())).toMatchObject({ outcome: 'interrupted' });
    expect(sync.observer.counts.refusedWrites).toBe(1);
    expect(await sync.served()).toBeUndefined();
  });
});

describe('busy', () => {
  test('a tick during a run of its registry is skipped and counted', async () => {
    const sync = createSyncHarness({ ingest });
    const { result, stop } = await startRun(sync);
    expect(await sync.sync()).toEqual({ state: 'busy' });
    expect(sync.observer.counts.overlaps).toBe(1);
    stop();
    await result;
  });

  test('a request during a run is handled by a later run', async () => {
    const sync = createSyncHarness({ ingest });
    const fetching = Promise.withResolvers<void>();
    const go = Promise.withResolvers<void>();
    sync.upstream.beforeFetch = () => {
      fetching.resolve();
      return go.promise;
    };
    const first = sync.sync();
    await fetching.promise;
    expect(await sync.sync(request())).toEqual({ state: 'busy' });
    expect(sync.observer.counts.overlaps).toBe(0);
    go.resolve();
    const ended = await first;
    expect(ended).toMatchObject({
      state: 'ran',
      followUps: [{ kind: 'request', registry: 'alpha', request: 1 }],
      run: { handledRequest: 0 },
    });
    const wakeUp = {
      ...TICK,
      trigger: 'manual',
      purpose: { kind: 'wake-up', request: 1 },
    } as const;
    expect(ran(await sync.sync(wakeUp))).toMatchObject({ trigger: 'manual', handledRequest: 1 });
    expect(await sync.sync(wakeUp)).toEqual({ state: 'handled' });
  });

  test('a tick handles an open request', async () => {
    const sync = createSyncHarness({ ingest });
    sync.state.of('alpha').control.requested = 2;
    expect(ran(await sync.sync())).toMatchObject({ trigger: 'manual', handledRequest: 2 });
  });

  test('a request for a registry that is not in the config changes nothing', async () => {
    const sync = createSyncHarness({ ingest });
    expect(await sync.sync({ ...request(), registry: 'nobody' })).toEqual({
      state: 'unknown-registry',
    });
    expect(sync.state.registries.has('nobody')).toBe(false);
  });
});

describe('a run that waits for capacity', () => {
  const single = new IngestPool({ heavyRuns: 1, memory: testBudget() });
  afterAll(() => single.close());

  /** A run of alpha that has read its source and waits for capacity, which `release` frees. */
  async function startWaiting(tick = TICK, stop = new AbortController().signal) {
    const sync = createSyncHarness({ ingest: single });
    const slot = await single.capacity.acquire(new AbortController().signal);
    const waiting = sync.sync(tick, stop);
    await vi.waitFor(() => expect(single.capacity.waiting).toBe(1));
    return {
      sync,
      release: () => {
        slot.release();
        return waiting;
      },
    };
  }

  test('keeps its lease, so that other ticks of its registry are busy instead of waiting', async () => {
    const { sync, release } = await startWaiting();
    expect(sync.status()).toMatchObject({ phase: 'Syncing', owner: 'alice' });
    expect(await sync.sync()).toEqual({ state: 'busy' });
    expect(await sync.sync(request({ force: true }))).toEqual({ state: 'busy' });
    expect(await release()).toMatchObject({
      run: { outcome: 'published' },
      followUps: [{ kind: 'request', registry: 'alpha', request: 1 }],
    });
    expect(sync.state.of('alpha').runs).toHaveLength(1);
    expect(ran(await sync.sync())).toMatchObject({ trigger: 'manual', handledRequest: 1 });
  });

  test('is interrupted by a stop, and takes no capacity', async () => {
    const stop = new AbortController();
    const { release } = await startWaiting(TICK, stop.signal);
    stop.abort();
    await vi.waitFor(() => expect(single.capacity.waiting).toBe(0));
    expect(ran(await release())).toMatchObject({ outcome: 'interrupted' });
    expect(ran(await createSyncHarness({ ingest: single }).sync())).toMatchObject({
      outcome: 'published',
    });
  });

  test('takes no capacity while its source has not answered', async () => {
    const silent = createSyncHarness({ ingest: single });
    const answer = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<void>();
    silent.upstream.beforeFetch = () => {
      asked.resolve();
      return answer.promise;
    };
    const syncing = silent.sync();
    await asked.promise;
    expect(ran(await createSyncHarness({ ingest: single }).sync()).outcome).toBe('published');
    answer.resolve();
    expect(ran(await syncing).outcome).toBe('published');
  });
});

describe('a store that fails', () => {
  test('a failed status write is retried, and the sync continues', async () => {
    const sync = createSyncHarness({ ingest });
    vi.spyOn(sync.deps.status, 'save').mockRejectedValue(new Error('the store is away'));
    vi.spyOn(sync.deps.runStore, 'publishAndFinish')
      .mockRejectedValueOnce(new Error('the store is away'))
      .mockRejectedValueOnce(new Error('the store is away'));
    expect(ran(await sync.sync())).toMatchObject({ outcome: 'published' });
    expect(await sync.served()).toHaveLength(3);
    const warnings = sync.logger.entries.filter(({ level }) => level === 'warn');
    expect(warnings.map(({ message }) => message)).toContain('could not save the status');
  });

  test('a finish whose response was lost is written once', async () => {
    const sync = createSyncHarness({ ingest });
    const { runStore } = sync.deps;
    vi.spyOn(runStore, 'publishAndFinish').mockImplementationOnce(async (...args) => {
      await runStore.publishAndFinish(...args);
      throw new Error('the connection broke');
    });
    expect(ran(await sync.sync())).toMatchObject({ outcome: 'published' });
    expect(sync.state.of('alpha').runs).toHaveLength(1);
  });

  test('an outage longer than the lease rejects the sync', async () => {
    const sync = createSyncHarness({ ingest });
    vi.spyOn(sync.deps.runStore, 'publishAndFinish').mockImplementation(async () => {
      sync.clock.advance(12_000);
      throw new Error('the store is away');
    });
    await expect(sync.sync()).rejects.toThrow('the store is away');
  });

  test('a chunk that is lost before the publication fails the run, and the lease is released', async () => {
    const sync = createSyncHarness({ ingest });
    const { runStore } = sync.deps;
    vi.spyOn(runStore, 'publishAndFinish').mockImplementationOnce(async (...args) => {
      sync.state.of('alpha').chunks.clear();
      return runStore.publishAndFinish(...args);
    });
    expect(ran(await sync.sync())).toMatchObject({
      outcome: 'failed',
      error: { code: 'snapshot-incomplete' },
    });
    expect(sync.status()).toMatchObject({ phase: 'Failed', consecutiveFailures: 1 });
    expect(sync.status()?.owner).toBeUndefined();
    expect(sync.status()?.snapshot).toBeUndefined();
    sync.clock.advance(5_000);
    expect(ran(await sync.sync())).toMatchObject({ outcome: 'published' });
  });

  test('a failed acquire rejects the sync', async () => {
    const sync = createSyncHarness({ ingest });
    vi.spyOn(sync.deps.runStore, 'acquire').mockRejectedValue(new Error('the store is away'));
    await expect(sync.sync()).rejects.toThrow('the store is away');
  });
});
