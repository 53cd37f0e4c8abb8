import { type Control, previewSchema, SynclineError } from '@syncline/contract';
import { registryConfig } from '@syncline/contract/testing';
import { OFFICIAL_META } from '@syncline/rows';
import { expect, test, vi } from 'vitest';
import {
  configOf,
  createSyncHarness,
  ran,
  START_MS,
  type SyncHarness,
  server,
  servers,
  sourceOf,
  suiteIngestPool,
  untilAborted,
} from '../testing/sync-harness.ts';
import { type PreviewRequest, previewRegistry } from './preview.ts';

const ingest = suiteIngestPool();

/** Makes a preview like a worker does, from the stores of the harness. */
async function previewOf(harness: SyncHarness, request: Partial<PreviewRequest> = {}) {
  const { deps, snapshots, upstream, state, config } = harness;
  const registry = config.registry('alpha');
  const { status, control } = state.of('alpha');
  if (registry === undefined || status === undefined) throw new Error('expected alpha');
  const preview = await previewRegistry(
    {
      createSource: () => sourceOf(upstream),
      ingest,
      snapshots,
      clock: deps.clock,
      logger: deps.logger,
    },
    {
      registry,
      stored: { status, control },
      nowMs: START_MS,
      sampleLimit: 200,
      signal: new AbortController().signal,
      ...request,
    },
  );
  return previewSchema.parse(preview);
}

/** Everything that is stored of the registry. */
function storedOf({ state }: SyncHarness): string {
  const { status, pointer, manifests, chunks, supersededAtMs } = state.of('alpha');
  const keys = [manifests, chunks, supersededAtMs].map((map) => [...map.keys()]);
  return JSON.stringify({ status, pointer, keys });
}

test('a preview reports what the next sync would publish, and changes nothing', async () => {
  const harness = createSyncHarness({ ingest });
  harness.upstream.rows = servers(200);
  await harness.sync();
  const [first, , , ...rest] = servers(200);
  const changed = { ...first, description: 'does others', packages: [] };
  harness.upstream.rows = [changed, ...rest, server('zz-new'), { name: 'no-version' }];
  harness.upstream.revision = 'r2';
  const before = storedOf(harness);

  const preview = await previewOf(harness);
  expect(preview).toMatchObject({
    registry: 'alpha',
    state: 'would-publish',
    paused: null,
    guard: { verdict: 'pass', compared: 'rowCount', countBefore: 200, countAfter: 199 },
    rowCount: 199,
    rowCountBefore: 200,
    sourceRowCount: 199,
    diff: {
      added: 1,
      updated: 1,
      removed: 2,
      samples: { added: ['zz-new@1.0.0'], updated: ['server-000@1.0.0'] },
    },
    changes: [{ row: 'server-000@1.0.0', fields: ['server.description', 'server.packages'] }],
    quarantined: { count: 1, samples: [{ row: 'no-version@?' }] },
    revision: 'r2',
    upstream: { requests: 1 },
  });
  expect(storedOf(harness)).toBe(before);
  expect(harness.logger.entries.filter(({ level }) => level === 'warn')).toEqual([]);

  const run = ran(await harness.sync());
  expect(run).toMatchObject({ outcome: 'published', diff: preview.diff });
});

test('a preview of an unchanged source reports no changes', async () => {
  const harness = createSyncHarness({ ingest });
  await harness.sync();
  expect(await previewOf(harness)).toMatchObject({
    state: 'unchanged',
    diff: { added: 0, updated: 0, removed: 0 },
    rowCount: 3,
  });
});

test('a preview of a registry that is not in the config reports all rows as added', async () => {
  const harness = createSyncHarness({ ingest });
  await harness.sync();
  const registry = registryConfig({ name: 'newcomer' });
  expect(await previewOf(harness, { registry, stored: undefined })).toMatchObject({
    registry: 'newcomer',
    state: 'would-publish',
    rowCountBefore: 0,
    diff: { added: 3, updated: 0, removed: 0 },
  });
});

test('a changed filter is compared with the served snapshot, and is no loss for the guard', async () => {
  const harness = createSyncHarness({ ingest });
  harness.upstream.rows = servers(10);
  await harness.sync();
  const registry = registryConfig({ filter: { names: { include: ['server-003'] } } });
  expect(await previewOf(harness, { registry })).toMatchObject({
    state: 'would-publish',
    guard: { verdict: 'pass', compared: 'sourceRowCount', countBefore: 10, countAfter: 10 },
    rowCount: 1,
    sourceRowCount: 10,
    diff: { removed: 9 },
  });
});

test('only changes of rows that pass the filter are listed', async () => {
  const registry = registryConfig({ filter: { names: { exclude: ['server-003'] } } });
  const harness = createSyncHarness({
    ingest,
    config: configOf({ name: 'alpha', filter: { names: { exclude: ['server-003'] } } }),
  });
  harness.upstream.rows = servers(5);
  await harness.sync();
  harness.upstream.rows = servers(5).map((row) => ({ ...row, description: 'changed' }));
  expect(await previewOf(harness, { registry })).toMatchObject({
    state: 'would-publish',
    rowCount: 4,
    sourceRowCount: 5,
    diff: { updated: 4 },
    changes: [0, 1, 2, 4].map((index) => ({
      row: `server-00${index}@1.0.0`,
      fields: ['server.description'],
    })),
  });
});

test.each([
  { left: 7, verdict: 'shrink' as const, lostPercent: 30 },
  { left: 0, verdict: 'empty' as const, lostPercent: 100 },
])('a preview that the guard would hold gives its numbers: $verdict', async (expected) => {
  const harness = createSyncHarness({ ingest });
  harness.upstream.rows = servers(10);
  await harness.sync();
  harness.upstream.rows = servers(expected.left);
  expect(await previewOf(harness)).toMatchObject({
    state: 'would-hold',
    guard: {
      verdict: expected.verdict,
      countBefore: 10,
      countAfter: expected.left,
      lostPercent: expected.lostPercent,
      maxShrinkPercent: 20,
      allowEmpty: false,
    },
  });
});

test('a preview lists at most sampleLimit rows, and counts all of them', async () => {
  const harness = createSyncHarness({ ingest });
  harness.upstream.rows = servers(100);
  await harness.sync();
  const changed = servers(100).map((row) => ({ ...row, description: 'another' }));
  harness.upstream.rows = [...changed, ...Array.from({ length: 90 }, () => ({ name: 'bad' }))];
  const few = await previewOf(harness, { sampleLimit: 2 });
  expect(few.diff).toMatchObject({ updated: 100 });
  expect(few.diff.samples.updated).toHaveLength(2);
  expect(few.changes).toHaveLength(2);
  expect(few.quarantined).toMatchObject({ count: 90 });
  expect(few.quarantined.samples).toHaveLength(2);
  const many = await previewOf(harness);
  expect(many.changes).toHaveLength(100);
  expect(many.quarantined.samples).toHaveLength(90);
});

test('long row and field names are truncated, so that an upstream cannot inflate a preview', async () => {
  const harness = createSyncHarness({ ingest });
  const name = `n${'x'.repeat(500)}`;
  harness.upstream.rows = [server(name)];
  await harness.sync();
  const fields = Array.from({ length: 100 }, (_, index) => [`${index}${'y'.repeat(2_000)}`, 1]);
  harness.upstream.rows = [server(name, Object.fromEntries(fields))];
  const [change] = (await previewOf(harness)).changes;
  expect(change?.row).toHaveLength(300);
  expect(change?.fields).toHaveLength(30);
  expect(change?.fields[0]).toHaveLength(100);
});

test('a version that the upstream marks as deleted is listed with its status field', async () => {
  const harness = createSyncHarness({ ingest });
  const row = (status: string) => ({
    server: server('a'),
    _meta: { [OFFICIAL_META]: { status } },
  });
  harness.upstream.rows = [row('active')];
  await harness.sync();
  harness.upstream.rows = [row('deleted')];
  expect((await previewOf(harness)).changes).toEqual([
    { row: 'a@1.0.0', fields: [`_meta["${OFFICIAL_META}"].status`] },
  ]);
});

test.each([
  { control: { suspended: true }, paused: 'suspended' },
  { control: { pinned: 'abc' }, paused: 'pinned' },
])('a preview says why the registry is paused: $paused', async ({ control, paused }) => {
  const harness = createSyncHarness({ ingest });
  await harness.sync();
  const { status, control: stored } = harness.state.of('alpha');
  if (status === undefined) throw new Error('expected a status');
  const changed: Control = { ...stored, ...control };
  expect(await previewOf(harness, { stored: { status, control: changed } })).toMatchObject({
    paused,
  });
});

test('an error of the source rejects the preview, and frees the capacity', async () => {
  const harness = createSyncHarness({ ingest });
  await harness.sync();
  harness.upstream.beforeFetch = () => {
    throw new SynclineError('source-file-missing', 'there is no file');
  };
  for (let attempt = 0; attempt < 3; attempt += 1) {
    await expect(previewOf(harness)).rejects.toMatchObject({ code: 'source-file-missing' });
  }
});

test('a preview ends when its signal is aborted, and at its own timeout', async () => {
  const harness = createSyncHarness({ ingest });
  await harness.sync();
  harness.upstream.beforeFetch = untilAborted;
  const stop = new AbortController();
  const reason = new Error('enough');
  const stopped = expect(previewOf(harness, { signal: stop.signal })).rejects.toBe(reason);
  stop.abort(reason);
  await stopped;
  const registry = registryConfig({ syncPolicy: { timeout: '1s' } });
  await expect(previewOf(harness, { registry })).rejects.toMatchObject({ code: 'run-timeout' });
});

test('a preview stops waiting for a source that hangs, and frees the capacity', async () => {
  const harness = createSyncHarness({ ingest });
  await harness.sync();
  harness.upstream.beforeFetch = () => new Promise(() => {});
  const previews = Array.from({ length: 2 }, () =>
    previewOf(harness, { signal: AbortSignal.timeout(10) }),
  );
  for (const ended of await Promise.allSettled(previews)) {
    expect(ended).toMatchObject({ reason: { name: 'TimeoutError' } });
  }
  harness.upstream.beforeFetch = () => {};
  expect(await previewOf(harness)).toMatchObject({ state: 'unchanged' });
});

test('a preview waits for capacity to decode and build', async () => {
  const harness = createSyncHarness({ ingest });
  await harness.sync();
  const stay = new AbortController().signal;
  const slots = [await ingest.capacity.acquire(stay), await ingest.capacity.acquire(stay)];
  const waiting = previewOf(harness);
  await vi.waitFor(() => expect(ingest.capacity.waiting).toBe(1));
  for (const slot of slots) slot.release();
  expect(await waiting).toMatchObject({ state: 'unchanged' });
});
