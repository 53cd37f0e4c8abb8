import { zstdCompressSync } from 'node:zlib';
import { PENDING_STATUS, sha256 } from '@syncline/contract';
import { pack } from 'msgpackr';
import { describe, expect, test } from 'vitest';
import {
  createSyncHarness,
  ran,
  request,
  servers,
  suiteIngestPool,
} from '../testing/sync-harness.ts';

const ingest = suiteIngestPool();

describe('a damaged snapshot', () => {
  const damage = async (what: 'chunk' | 'manifest' | 'version' | 'pointer') => {
    const sync = createSyncHarness({ ingest, quiet: true });
    sync.upstream.rows = servers(300);
    await sync.sync();
    const registry = sync.state.of('alpha');
    const { manifests, chunks, status } = registry;
    const digest = status?.snapshot ?? '';
    if (what === 'chunk') for (const name of chunks.keys()) chunks.set(name, Buffer.from('bad'));
    if (what === 'manifest') manifests.set(digest, Buffer.from('bad'));
    if (what === 'version') {
      const newer = zstdCompressSync(pack({ v: 2, rows: [] }));
      manifests.set(sha256(newer), newer);
      registry.pointer = sha256(newer);
      registry.status = { ...(status ?? PENDING_STATUS), snapshot: sha256(newer) };
    }
    if (what === 'pointer') registry.pointer = undefined;
    return sync;
  };

  test.each(['chunk', 'manifest', 'version', 'pointer'] as const)(
    'with an invalid %s is repaired by a forced sync of an unchanged source',
    async (what) => {
      const sync = await damage(what);
      expect(ran(await sync.sync(request({ force: true })))).toMatchObject({
        outcome: 'published',
      });
      expect(await sync.served()).toHaveLength(300);
      expect(ran(await sync.sync(request({ force: true })))).toMatchObject({
        outcome: 'unchanged',
      });
    },
  );

  test.each(['chunk', 'manifest', 'version'] as const)(
    'with an invalid %s is rebuilt when the source has changed',
    async (what) => {
      const sync = await damage(what);
      sync.upstream.rows = servers(301);
      sync.upstream.revision = 'r2';
      // The change is in the last chunk, whose damage is found. All chunks are written again.
      expect(ran(await sync.sync())).toMatchObject({ outcome: 'published' });
      expect(await sync.served()).toHaveLength(301);
    },
  );

  test.each([undefined, 'b'.repeat(64)])(
    'whose pointer became %s is served again by the next tick, without the source',
    async (pointer) => {
      const sync = await damage('pointer');
      sync.state.of('alpha').pointer = pointer;
      const { counts } = sync.upstream;
      const before = { ...counts, fields: { ...PENDING_STATUS, ...sync.status() } };
      sync.upstream.beforeFetch = () => {
        throw new Error('the source is down');
      };
      sync.clock.advance(1_000);
      expect(ran(await sync.sync())).toMatchObject({
        outcome: 'published',
        reason: 'registry-not-ready',
        diff: { added: 0, updated: 0, removed: 0 },
        snapshot: before.fields.snapshot,
      });
      expect(await sync.served()).toHaveLength(300);
      expect(counts.fetches).toBe(before.fetches);
      const { snapshot, revision, lastSyncAt, serverCount } = before.fields;
      expect(sync.status()).toMatchObject({ snapshot, revision, lastSyncAt, serverCount });
      sync.clock.advance(1_000);
      expect(await sync.sync()).toEqual({ state: 'no-op' });
    },
  );

  test('is fetched if its pointer and a chunk are lost', async () => {
    const sync = await damage('pointer');
    sync.state.of('alpha').chunks.clear();
    sync.clock.advance(1_000);
    expect(ran(await sync.sync())).toMatchObject({ outcome: 'published' });
    expect(sync.upstream.counts.fetches).toBe(2);
    expect(await sync.served()).toHaveLength(300);
  });

  test('stays held while its pointer is restored', async () => {
    const sync = await damage('pointer');
    sync.state.of('alpha').pointer = sync.status()?.snapshot;
    sync.upstream.rows = [];
    sync.upstream.revision = 'r2';
    await sync.sync();
    const held = sync.status()?.held;
    expect(held).toBeDefined();
    sync.state.of('alpha').pointer = undefined;
    sync.clock.advance(1_000);
    expect(ran(await sync.sync())).toMatchObject({ outcome: 'published' });
    expect(sync.status()?.held).toEqual(held);
    expect(await sync.served()).toHaveLength(300);
  });
});
