import { randomBytes } from 'node:crypto';
import { SynclineError } from '@syncline/contract';
import { describe, expect, test } from 'vitest';
import {
  configOf,
  createSyncHarness,
  ran,
  servers,
  suiteIngestPool,
} from '../testing/sync-harness.ts';

const ingest = suiteIngestPool();
const QUOTA = 1_048_576;

/** Returns rows that compression makes little smaller, and that differ at each call. */
function largeRows(kilobytes: number): object[] {
  return Array.from({ length: kilobytes }, (_, index) => ({
    name: `io.example/${String(index).padStart(4, '0')}`,
    version: '1.0.0',
    description: randomBytes(750).toString('base64'),
  }));
}

function createQuotaHarness() {
  const sync = createSyncHarness({
    ingest,
    config: configOf({ name: 'alpha', limits: { storedBytes: '1MiB' } }),
  });
  const storedBytes = async () => (await sync.snapshots.readStoredBytes('alpha')).registry;
  let revision = 1;
  /** Runs the registry with new rows at its source. */
  const change = async (rows: readonly object[]) => {
    sync.upstream.rows = [...rows];
    revision += 1;
    sync.upstream.revision = `r${revision}`;
    sync.clock.advance(3_600_000);
    return ran(await sync.sync());
  };
  return { ...sync, storedBytes, change };
}

describe('a registry that would exceed its quota', () => {
  test('fails before it stores anything, and keeps the served snapshot', async () => {
    const sync = createQuotaHarness();
    await sync.change(servers(3));
    const before = await sync.storedBytes();
    const failed = await sync.change(largeRows(1_500));
    expect(failed).toMatchObject({ outcome: 'failed', error: { code: 'registry-over-quota' } });
    expect(await sync.storedBytes()).toBe(before);
    expect(await sync.served()).toHaveLength(3);
    expect(await sync.change(servers(4))).toMatchObject({ outcome: 'published' });
  });

  test('gives up old snapshots to serve the newest state', async () => {
    const sync = createQuotaHarness();
    for (let time = 0; time < 6; time += 1) {
      expect(await sync.change(largeRows(400))).toMatchObject({ outcome: 'published' });
      expect(await sync.storedBytes()).toBeLessThan(QUOTA);
    }
    const { length } = await sync.snapshots.history('alpha');
    expect(length).toBeLessThan(6);
  });
});

describe('what a run has stored without publishing it', () => {
  test('is removed when the run fails', async () => {
    const sync = createQuotaHarness();
    await sync.change(servers(3));
    const before = await sync.storedBytes();
    const { writeManifest } = sync.snapshots;
    sync.snapshots.writeManifest = async () => {
      throw new SynclineError('store-full', 'Redis is full');
    };
    const failed = await sync.change(largeRows(200));
    expect(failed).toMatchObject({ outcome: 'failed', error: { code: 'store-full' } });
    expect(await sync.storedBytes()).toBe(before);
    expect(await sync.served()).toHaveLength(3);
    sync.snapshots.writeManifest = writeManifest;
    expect(await sync.change(servers(5))).toMatchObject({ outcome: 'published' });
  });

  test('is removed when the process stops', async () => {
    const sync = createQuotaHarness();
    await sync.change(servers(3));
    const before = await sync.storedBytes();
    const stop = new AbortController();
    const { writeChunks } = sync.snapshots;
    sync.snapshots.writeChunks = async (...args) => {
      stop.abort();
      return writeChunks(...args);
    };
    // One write has at most 256 chunks, so the run notices the stop before the next one.
    sync.upstream.rows = servers(50_000);
    sync.upstream.revision = 'other';
    sync.clock.advance(3_600_000);
    const run = ran(await sync.sync(undefined, stop.signal));
    expect(run).toMatchObject({ outcome: 'interrupted' });
    expect(await sync.storedBytes()).toBe(before);
  });

  test('stays if the guard holds it', async () => {
    const sync = createQuotaHarness();
    await sync.change(servers(10));
    const before = await sync.storedBytes();
    expect(await sync.change(servers(3))).toMatchObject({ outcome: 'held' });
    expect(await sync.storedBytes()).toBeGreaterThan(before);
    const { held } = sync.status() ?? {};
    sync.upstream.beforeFetch = () => {
      throw new SynclineError('source-unreachable', 'nobody answers');
    };
    expect(await sync.change(servers(4))).toMatchObject({ outcome: 'failed' });
    const manifest = await sync.snapshots.readManifest('alpha', held?.snapshot ?? '');
    expect(manifest).toBeDefined();
  });

  test('is removed by the next run if the process has died, even if the source is unchanged', async () => {
    const sync = createQuotaHarness();
    await sync.change(servers(3));
    const before = await sync.storedBytes();
    const acquisition = await sync.deps.runStore.acquire({
      registry: 'alpha',
      owner: 'dies',
      ttlMs: 1,
      purpose: { kind: 'tick' },
    });
    if (acquisition.state !== 'acquired') throw new Error('the lease is free');
    const { lease } = acquisition;
    await sync.snapshots.writeChunks(lease, [{ digest: 'd'.repeat(64), bytes: randomBytes(99) }]);
    expect(await sync.storedBytes()).toBe(before + 99);
    sync.clock.advance(20_000);
    expect(ran(await sync.sync())).toMatchObject({ outcome: 'unchanged' });
    expect(await sync.storedBytes()).toBe(before);
    expect(await sync.served()).toHaveLength(3);
  });
});
