import type { Lease } from '@syncline/contract';
import { beforeEach, describe, expect, test } from 'vitest';
import { blobDigests, decodeManifest, encodeManifest } from './encoding/manifest.ts';
import { collectGarbage } from './store.ts';
import { createSnapshotHarness, type SnapshotHarness } from './testing/snapshot-harness.ts';
import { testBlob } from './testing/test-blobs.ts';
import { storeRows } from './testing/test-snapshots.ts';

const HOUR_MS = 3_600_000;
let store: SnapshotHarness;
let lease: Lease;
/** The time of the in-memory store, whose clock moves only by a millisecond per publication. */
let startMs: number;
beforeEach(() => {
  store = createSnapshotHarness();
  lease = store.acquire('alpha');
  startMs = store.clock.nowMs;
});

async function storeNames(...names: string[]) {
  const rows = names.map((name) => ({ name, version: '1', description: 'x' }));
  const attachments = [{ kind: 'skills' as const, items: names.map((name) => `"${name}"`) }];
  return storeRows(store.snapshots, { lease, rows, attachments, nowMs: startMs });
}

async function publish(...names: string[]): Promise<string> {
  const { publication } = await storeNames(...names);
  store.publish('alpha', publication);
  lease = store.acquire('alpha');
  return publication.manifest;
}

async function kept(): Promise<Set<string>> {
  return new Set((await store.snapshots.history('alpha')).map(({ manifest }) => manifest));
}

function collect(options: Partial<Parameters<typeof collectGarbage>[1]> = {}): Promise<boolean> {
  const nowMs = startMs + HOUR_MS;
  return collectGarbage(store.snapshots, { lease, keep: 3, spare: [], nowMs, ...options });
}

/** Expects that exactly the chunks of the stored manifests are stored. */
async function expectNoLooseEnds(): Promise<void> {
  const needed = new Set<string>();
  for (const digest of await kept()) {
    const bytes = await store.snapshots.readManifest('alpha', digest);
    if (bytes === undefined) throw new Error('the history names a manifest that is not there');
    for (const blob of blobDigests(decodeManifest({ digest, bytes }))) needed.add(blob);
  }
  expect(new Set(await store.snapshots.listChunks('alpha'))).toEqual(needed);
}

describe('collectGarbage', () => {
  test('keeps the newest published snapshots and their chunks', async () => {
    const manifests: string[] = [];
    for (const name of ['a', 'b', 'c', 'd', 'e']) manifests.push(await publish(name));
    const served = manifests.at(-1);
    expect(await collect({ spare: [served] })).toBe(true);
    expect(await kept()).toEqual(new Set(manifests.slice(2)));
    await expectNoLooseEnds();
  });

  test('keeps a snapshot that a reader may still use', async () => {
    const manifests: string[] = [];
    for (const name of ['a', 'b', 'c', 'd', 'e']) manifests.push(await publish(name));
    const options = { keep: 1, spare: [manifests.at(-1)] };
    await collect({ ...options, nowMs: startMs + 9 * 60_000 });
    expect(await kept()).toEqual(new Set(manifests));
    await collect({ ...options, nowMs: startMs + 11 * 60_000 });
    expect(await kept()).toEqual(new Set(manifests.slice(-1)));
    await expectNoLooseEnds();
  });

  test('keeps held snapshots and those about to be published', async () => {
    const served = await publish('a');
    const held = (await storeNames('held')).manifestBlob.digest;
    const staged = (await storeNames('staged')).manifestBlob.digest;
    const left = (await storeNames('left behind')).manifestBlob.digest;
    await collect({ spare: [served, held, staged] });
    expect(await kept()).toEqual(new Set([served, held, staged]));
    expect(await store.snapshots.readManifest('alpha', left)).toBeUndefined();
    await expectNoLooseEnds();
  });

  test('keeps a mirror exactly as long as its view', async () => {
    const views: string[] = [];
    const mirrors: string[] = [];
    for (const name of ['a', 'b', 'c']) {
      const mirror = await storeNames(name, `${name}-filtered out`);
      const { publication, manifest } = await storeNames(name);
      const view = encodeManifest({ ...manifest, mirror: mirror.manifestBlob.digest });
      await store.snapshots.writeManifest(lease, view);
      store.publish('alpha', { ...publication, manifest: view.digest });
      views.push(view.digest);
      mirrors.push(mirror.manifestBlob.digest);
    }
    await collect({ keep: 2, spare: views.slice(-1) });
    expect(await kept()).toEqual(new Set([...views.slice(1), ...mirrors.slice(1)]));
    await expectNoLooseEnds();
  });

  test('keeps the chunks that snapshots share', async () => {
    const first = await publish('a');
    await publish('b');
    const third = await publish('a');
    expect(third).toBe(first);
    await collect({ keep: 1, spare: [third] });
    expect(await kept()).toEqual(new Set([third]));
    await expectNoLooseEnds();
  });

  test('removes chunks of a run that stored no manifest', async () => {
    const served = await publish('a');
    await store.snapshots.writeChunks(lease, [testBlob('left behind')]);
    await collect({ spare: [served] });
    await expectNoLooseEnds();
  });

  test('ignores a damaged manifest', async () => {
    const served = await publish('a');
    const broken = { digest: 'b'.repeat(64), bytes: Buffer.from('broken') };
    await store.snapshots.writeManifest(lease, broken);
    await collect({ spare: [served] });
    expect(await kept()).toEqual(new Set([served]));
  });

  test('returns false and removes nothing if the lease is lost', async () => {
    const first = await publish('a');
    const second = await publish('b');
    store.acquire('alpha');
    expect(await collect({ keep: 1, spare: [second] })).toBe(false);
    expect(await kept()).toEqual(new Set([first, second]));
  });

  test('does not call the store if there is nothing to remove', async () => {
    const served = await publish('a');
    store.acquire('alpha');
    expect(await collect({ spare: [served] })).toBe(true);
  });
});
