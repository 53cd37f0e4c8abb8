import { expect, test } from 'vitest';
import { createSyncHarness, ran, suiteIngestPool } from '../testing/sync-harness.ts';

const ingest = suiteIngestPool();

test('upstreams that say nothing keep nobody else waiting, and are read when they speak', async () => {
  const gate = Promise.withResolvers<void>();
  const silent = [1, 2].map(() => {
    const harness = createSyncHarness({ ingest });
    harness.upstream.beforeFetch = () => gate.promise;
    return harness;
  });
  const syncing = silent.map(({ sync }) => sync());
  const other = createSyncHarness({ ingest });
  expect(ran(await other.sync()).outcome).toBe('published');
  expect(await other.served()).toHaveLength(3);

  gate.resolve();
  const results = await Promise.all(syncing);
  expect(results.map((result) => ran(result).outcome)).toEqual(['published', 'published']);
  // Nothing has been lost on the way: as many slots as before.
  const slots = [ingest.slots.tryTake(), ingest.slots.tryTake()];
  expect(slots).not.toContain(undefined);
  expect(ingest.slots.tryTake()).toBeUndefined();
  for (const slot of slots) slot?.release();
});
