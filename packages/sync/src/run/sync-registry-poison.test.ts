/** Registries that crash their process or hang: what they cost other registries, and for how long. */
import { afterAll, describe, expect, test, vi } from 'vitest';
import { IngestPool } from '../ingest/ingest-pool.ts';
import {
  configOf,
  createSyncHarness,
  ran,
  request,
  type SyncHarness,
  suiteIngestPool,
  TICK,
} from '../testing/sync-harness.ts';
import { testBudget } from '../testing/test-budget.ts';

const ingest = suiteIngestPool();
const HOUR_MS = 3_600_000;
const BETA = { ...TICK, registry: 'beta' };

/** Acquires the lease so many times, each time by a process that is then killed. */
async function die(sync: SyncHarness, times: number, registry = 'alpha') {
  for (let death = 0; death < times; death += 1) {
    const purpose = { kind: 'tick' } as const;
    await sync.deps.runStore.acquire({
      registry,
      owner: 'killed',
      ttlMs: 1,
      purpose,
      isIsolated: true,
    });
    sync.clock.advance(1);
  }
}

describe('a registry that crashes its process', () => {
  test('runs normally after two crashes', async () => {
    const sync = createSyncHarness({ ingest });
    await die(sync, 2);
    expect(ran(await sync.sync())).toMatchObject({ outcome: 'published' });
    expect(sync.status()?.startsWithoutFinish).toBe(0);
  });

  test('backs off after three crashes, and longer after each further crash', async () => {
    const sync = createSyncHarness({ ingest });
    await die(sync, 3);
    expect(ran(await sync.sync())).toMatchObject({
      outcome: 'failed',
      error: { code: 'run-crashed' },
    });
    expect(sync.upstream.counts.fetches).toBe(0);
    expect(sync.status()).toMatchObject({ phase: 'Failed', consecutiveFailures: 1 });
    expect(ran(await sync.sync())).toMatchObject({ outcome: 'skipped', reason: 'backing-off' });

    sync.clock.advance(5_000);
    await die(sync, 1);
    expect(ran(await sync.sync())).toMatchObject({ error: { code: 'run-crashed' } });
    expect(sync.status()).toMatchObject({ consecutiveFailures: 2 });
  });

  test('is soon tried at most twice an hour, whatever its interval', async () => {
    const syncPolicy = { interval: '5s' };
    const sync = createSyncHarness({ ingest, config: configOf({ name: 'alpha', syncPolicy }) });
    await die(sync, 3);
    const waitsMs: number[] = [];
    for (let verdict = 0; verdict < 14; verdict += 1) {
      const { error, finishedAt } = ran(await sync.sync());
      waitsMs.push(Date.parse(error?.nextTryAt ?? '') - Date.parse(finishedAt));
      sync.clock.advance(waitsMs.at(-1) ?? 0);
      await die(sync, 1);
    }
    expect(waitsMs.slice(0, 4)).toEqual([5_000, 10_000, 20_000, 40_000]);
    expect(waitsMs.at(4)).toBe(HOUR_MS / 2);
    expect(waitsMs.at(-1)).toBe(HOUR_MS);
  });

  test('waits at most one interval after its first three crashes, even after other failures', async () => {
    const syncPolicy = { interval: '5s' };
    const sync = createSyncHarness({ ingest, config: configOf({ name: 'alpha', syncPolicy }) });
    sync.upstream.beforeFetch = () => Promise.reject(new Error('away'));
    for (let failure = 0; failure < 20; failure += 1) await sync.sync(request());
    await die(sync, 3);
    const { error, finishedAt } = ran(await sync.sync());
    expect(Date.parse(error?.nextTryAt ?? '') - Date.parse(finishedAt)).toBe(5_000);
  });

  test('backs off for requests too, unless they are forced', async () => {
    const sync = createSyncHarness({ ingest });
    await die(sync, 3);
    await sync.sync();
    expect(ran(await sync.sync(request()))).toMatchObject({
      outcome: 'skipped',
      reason: 'backing-off',
      handledRequest: 1,
    });
    expect(ran(await sync.sync(request({ force: true })))).toMatchObject({ outcome: 'published' });
  });

  test('recovers with the first run that finishes', async () => {
    const sync = createSyncHarness({ ingest });
    await die(sync, 3);
    await sync.sync();
    sync.clock.advance(5_000);
    expect(ran(await sync.sync())).toMatchObject({ outcome: 'published' });
    expect(sync.status()).toMatchObject({ phase: 'Complete', startsWithoutFinish: 0 });
  });
});

describe('registries that crashed together', () => {
  /** Alpha runs until `end` is called. */
  const startTwo = async (deaths: { alpha: number; beta: number }, options = {}) => {
    const config = configOf({ name: 'alpha' }, { name: 'beta' });
    const sync = createSyncHarness({ ingest, config, ...options });
    await die(sync, deaths.alpha, 'alpha');
    await die(sync, deaths.beta, 'beta');
    const fetching = Promise.withResolvers<void>();
    const go = Promise.withResolvers<void>();
    sync.upstream.beforeFetch = () => {
      fetching.resolve();
      return go.promise;
    };
    const alpha = sync.sync();
    await fetching.promise;
    sync.upstream.beforeFetch = () => {};
    return { sync, alpha, end: go.resolve };
  };

  test('run one at a time: the second one waits without a lease, and its status stays unchanged', async () => {
    const { sync, alpha, end } = await startTwo({ alpha: 2, beta: 2 });
    const before = sync.status('beta');
    const beta = sync.sync(BETA);
    await vi.waitFor(() => expect(sync.deps.capacity.isolation.isWaiting('beta')).toBe(true));
    expect(before).toMatchObject({ owner: 'killed', startsWithoutFinish: 2 });
    expect(sync.status('beta')).toEqual(before);
    end();
    expect(ran(await alpha)).toMatchObject({ outcome: 'published' });
    expect(ran(await beta)).toMatchObject({ outcome: 'published' });
    expect(sync.state.of('beta').runs).toHaveLength(1);
  });

  test('wait no longer than the time of a turn', async () => {
    const { sync, alpha, end } = await startTwo({ alpha: 2, beta: 2 }, { turnMs: 50 });
    expect(ran(await sync.sync(BETA))).toMatchObject({ outcome: 'published' });
    end();
    expect(ran(await alpha)).toMatchObject({ outcome: 'published' });
  });

  test.each([
    { alpha: 2, beta: 0 },
    { alpha: 0, beta: 2 },
    { alpha: 1, beta: 1 },
  ])('run at the same time if one of them has not crashed twice: %j', async (deaths) => {
    const { sync, alpha, end } = await startTwo(deaths);
    expect(ran(await sync.sync(BETA))).toMatchObject({ outcome: 'published' });
    end();
    expect(ran(await alpha)).toMatchObject({ outcome: 'published' });
  });

  test('wait with one run per registry: further ticks are busy, and a stop ends the wait', async () => {
    const { sync, alpha, end } = await startTwo({ alpha: 2, beta: 2 });
    const stop = new AbortController();
    const waiting = sync.sync(BETA, stop.signal);
    await vi.waitFor(() => expect(sync.deps.capacity.isolation.isWaiting('beta')).toBe(true));
    expect(await sync.sync(BETA)).toEqual({ state: 'busy' });
    const asked = { ...request({ force: true }), registry: 'beta' };
    expect(await sync.sync(asked)).toEqual({ state: 'busy' });
    expect(sync.state.of('beta').control).toMatchObject({ requested: 1, handled: 0 });
    stop.abort();
    expect(await waiting).toEqual({ state: 'stopped' });
    end();
    await alpha;
  });

  test('handle a waiting request with its own run', async () => {
    const { sync, alpha, end } = await startTwo({ alpha: 2, beta: 2 });
    const beta = sync.sync({ ...request(), registry: 'beta' });
    await vi.waitFor(() => expect(sync.deps.capacity.isolation.isWaiting('beta')).toBe(true));
    end();
    await alpha;
    expect(ran(await beta)).toMatchObject({ trigger: 'manual', handledRequest: 1 });
    expect(sync.state.of('beta').control).toMatchObject({ requested: 1, handled: 1 });
  });
});

describe('a run that hangs and ignores its signal', () => {
  const single = new IngestPool({ heavyRuns: 1, memory: testBudget() });
  afterAll(() => single.close());
  const TIMED_OUT = { outcome: 'failed', error: { code: 'run-timeout' } };

  /** The runs that must succeed have the default timeout, because a slow machine may need long for them. */
  const configWith = (syncPolicy: { timeout?: '3s' }) =>
    configOf({ name: 'alpha', syncPolicy }, { name: 'beta' });
  const hanging = ({ quiet = false } = {}) => {
    const sync = createSyncHarness({ ingest: single, quiet, config: configWith({}) });
    const configure = async (syncPolicy: { timeout?: '3s' }) => {
      sync.config.replace(configWith(syncPolicy));
      await sync.config.refresh();
    };
    const end = Promise.withResolvers<void>();
    return { sync, configure, hang: () => end.promise, end: end.resolve };
  };

  test('fails at its timeout, releases its lease and its slot, and cannot write later', async () => {
    const { sync, configure, hang, end } = hanging();
    await configure({ timeout: '3s' });
    sync.upstream.beforeFetch = hang;
    expect(ran(await sync.sync())).toMatchObject(TIMED_OUT);
    expect(sync.status()?.owner).toBeUndefined();
    sync.upstream.beforeFetch = () => {};
    expect(ran(await sync.sync(BETA))).toMatchObject({ outcome: 'published' });
    end();
    await vi.waitFor(() => expect(sync.deps.capacity.hungWork.has('alpha')).toBe(false));
    expect(await sync.served()).toBeUndefined();
    expect(sync.state.of('alpha')).toMatchObject({ runs: [TIMED_OUT] });
  });

  test('is not started again while it hangs, but is after it has ended', async () => {
    const { sync, configure, hang, end } = hanging();
    await configure({ timeout: '3s' });
    sync.upstream.beforeFetch = hang;
    await sync.sync();
    for (let attempt = 0; attempt < 3; attempt += 1) {
      expect(ran(await sync.sync(request()))).toMatchObject(TIMED_OUT);
    }
    expect(sync.upstream.counts.fetches).toBe(1);
    sync.upstream.beforeFetch = () => {};
    end();
    await vi.waitFor(() => expect(sync.deps.capacity.hungWork.has('alpha')).toBe(false));
    await configure({});
    expect(ran(await sync.sync(request()))).toMatchObject({ outcome: 'published' });
  });

  test.each([{ quiet: false }, { quiet: true }])(
    'fails at its timeout if it hangs in the cheap check: %j',
    async (options) => {
      const { sync, configure, hang } = hanging(options);
      expect(ran(await sync.sync())).toMatchObject({ outcome: 'published' });
      await configure({ timeout: '3s' });
      sync.upstream.beforeProbe = hang;
      expect(ran(await sync.sync())).toMatchObject(TIMED_OUT);
      expect(sync.upstream.counts.probes).toBe(1);
    },
  );

  test('is interrupted by a stop', async () => {
    const { sync, hang } = hanging();
    const fetching = Promise.withResolvers<void>();
    sync.upstream.beforeFetch = () => {
      fetching.resolve();
      return hang();
    };
    const stop = new AbortController();
    const result = sync.sync(TICK, stop.signal);
    await fetching.promise;
    stop.abort();
    expect(ran(await result)).toMatchObject({ outcome: 'interrupted' });
  });
});
