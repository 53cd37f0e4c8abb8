import { describe, expect, test } from 'vitest';
import {
  configOf,
  createSyncHarness,
  ran,
  request,
  START_MS,
  servers,
  suiteIngestPool,
  TICK,
  untilAborted,
} from '../testing/sync-harness.ts';

const ingest = suiteIngestPool();
const NO_OP = { state: 'no-op' };

/** A registry that was synced by this process, a second ago. */
async function synced() {
  const sync = createSyncHarness({ ingest, quiet: true });
  await sync.sync();
  sync.clock.advance(1_000);
  return sync;
}

describe('a tick that finds nothing to do', () => {
  test('takes no lease, and confirms in the status that nothing has changed', async () => {
    const sync = await synced();
    const before = sync.status();
    expect(await sync.sync()).toEqual(NO_OP);
    const checkedAt = new Date(START_MS + 1_000).toISOString();
    expect(sync.status()).toEqual({
      ...before,
      reason: 'up-to-date-with-policy',
      lastAttemptAt: checkedAt,
      lastSuccessAt: checkedAt,
    });
    expect(sync.observer.counts.noOps).toBe(1);
    expect(sync.observer.runs).toHaveLength(1);
    expect(sync.upstream.counts).toEqual({ probes: 1, fetches: 1 });
  });

  test('is a no-op each time', async () => {
    const sync = await synced();
    for (let tick = 0; tick < 5; tick += 1) expect(await sync.sync()).toEqual(NO_OP);
  });
});

describe('a tick takes a lease and runs', () => {
  test('if the source has changed', async () => {
    const sync = await synced();
    sync.upstream.rows = servers(4);
    sync.upstream.revision = 'r2';
    const { probes } = sync.upstream.counts;
    expect(ran(await sync.sync())).toMatchObject({ outcome: 'published' });
    // The run uses the result of the cheap check.
    expect(sync.upstream.counts.probes).toBe(probes + 1);
    sync.clock.advance(1_000);
    expect(await sync.sync()).toEqual(NO_OP);
  });

  test('if another process ran the registry last', async () => {
    const sync = await synced();
    const other = { registry: 'alpha', owner: 'bob', ttlMs: 60_000 };
    const acquired = await sync.deps.runStore.acquire({ ...other, purpose: { kind: 'tick' } });
    if (acquired.state !== 'acquired') throw new Error('expected the lease');
    expect(await sync.sync()).toEqual({ state: 'busy' });
    await sync.deps.runStore.finish(acquired.lease, { changes: { phase: 'Complete' } });
    expect(ran(await sync.sync())).toMatchObject({ outcome: 'unchanged' });
    expect(await sync.sync()).toEqual(NO_OP);
  });

  test('if it is a request, or a request is open', async () => {
    const sync = await synced();
    expect(ran(await sync.sync(request()))).toMatchObject({ outcome: 'unchanged' });
    sync.state.of('alpha').control.requested += 1;
    expect(ran(await sync.sync())).toMatchObject({ handledRequest: 2 });
  });

  test('if the registry is suspended', async () => {
    const sync = await synced();
    sync.state.of('alpha').control.suspended = true;
    expect(ran(await sync.sync())).toMatchObject({ outcome: 'skipped' });
  });

  test('if the config of the registry has changed', async () => {
    const sync = await synced();
    sync.config.replace(configOf({ name: 'alpha', filter: { names: { include: ['*-001'] } } }));
    await sync.config.refresh();
    expect(ran(await sync.sync())).toMatchObject({ reason: 'filter-changed' });
  });

  test('after a failure, so that the backoff applies', async () => {
    const sync = await synced();
    sync.upstream.revision = 'r2';
    sync.upstream.beforeFetch = () => {
      throw new Error('no answer');
    };
    expect(ran(await sync.sync())).toMatchObject({ outcome: 'failed' });
    expect(ran(await sync.sync())).toMatchObject({ outcome: 'skipped', reason: 'backing-off' });
  });

  test('if all data was lost', async () => {
    const sync = await synced();
    sync.state.registries.clear();
    expect(ran(await sync.sync())).toMatchObject({ outcome: 'published' });
  });

  test('once a minute, to read the clock of the store', async () => {
    const sync = await synced();
    sync.clock.advance(60_000);
    expect(ran(await sync.sync())).toMatchObject({ outcome: 'unchanged' });
    expect(await sync.sync()).toEqual(NO_OP);
  });

  test('if a full read is due', async () => {
    const sync = await synced();
    sync.clock.advance(24 * 3_600_000 - 2_000);
    await sync.sync();
    sync.clock.advance(2_000);
    expect(ran(await sync.sync())).toMatchObject({ reason: 'reconcile-due' });
  });
});

test('a stop during the cheap check interrupts the tick', async () => {
  const sync = await synced();
  const asked = Promise.withResolvers<void>();
  sync.upstream.beforeProbe = (context) => {
    asked.resolve();
    return untilAborted(context);
  };
  const stop = new AbortController();
  const result = sync.sync(TICK, stop.signal);
  await asked.promise;
  stop.abort();
  expect(ran(await result)).toMatchObject({ outcome: 'interrupted' });
  expect(sync.status()).toMatchObject({ phase: 'Complete', consecutiveFailures: 0 });
});

test('a cheap check that is never answered fails at the timeout of a run', async () => {
  const sync = createSyncHarness({
    ingest,
    quiet: true,
    config: configOf({ name: 'alpha', syncPolicy: { timeout: '1s' } }),
  });
  await sync.sync();
  sync.upstream.beforeProbe = untilAborted;
  expect(ran(await sync.sync())).toMatchObject({
    outcome: 'failed',
    error: { code: 'run-timeout' },
  });
});
