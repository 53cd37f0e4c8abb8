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
    const sync = createSyncHarness({ ingest });
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

  test.each(['chunk', 'manifest', 'version', 'pointer'] as const)(
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
});
