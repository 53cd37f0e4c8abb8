import { redisKeys } from '@syncline/contract';
import { createRedisRunStore, createRedisSnapshotStore } from '@syncline/redis';
import { testRedis, until } from '@syncline/test/support';
import { expect, onTestFinished, test } from 'vitest';
import type { Happened } from './events.ts';
import { watchRedis } from './witness.ts';

const chunk = { digest: 'c'.repeat(64), bytes: Buffer.from('a "chunk" "of" \n bytes') };
const manifest = { digest: 'd'.repeat(64), bytes: Buffer.from('manifest') };

async function watch() {
  const { client: redis, url, prefix } = testRedis();
  const keys = redisKeys(prefix);
  const events: Happened[] = [];
  const recorder = { record: (it: Happened) => void events.push(it), close: () => {} };
  const witness = await watchRedis(url, { keys, recorder, why: 'begun' });
  onTestFinished(() => witness.close());
  const runStore = createRedisRunStore({ redis, keys });
  const snapshots = createRedisSnapshotStore({ redis, keys });
  return { events, runStore, snapshots };
}

test('the witness sees the writes of scripts in order, each with its lease', async () => {
  const { events, runStore, snapshots } = await watch();
  const options = { registry: 'alpha', owner: 'w-1', ttlMs: 60_000 };
  const taken = await runStore.acquire({ ...options, purpose: { kind: 'tick' } });
  if (taken.state !== 'acquired') throw new Error('expected the lease');
  const { lease, nowMs } = taken;
  await runStore.acquire({ ...options, purpose: { kind: 'tick' } });
  await runStore.renew([lease], { ttlMs: 60_000 });
  await snapshots.writeChunks(lease, [chunk]);
  await snapshots.writeManifest(lease, manifest);
  await snapshots.writeChunks({ ...lease, owner: 'zombie' }, [chunk]);
  const changes = { phase: 'Complete', startsWithoutFinish: 0 } as const;
  const publication = { manifest: manifest.digest, chunks: [chunk.digest] };
  await runStore.publishAndFinish(lease, { changes }, publication);
  await runStore.finish(lease, { changes });
  await runStore.confirmUnchanged('alpha', { term: lease.term, changes: { durationMs: 1 } });

  await until(() => events.some(({ kind }) => kind === 'store-ended'), {
    what: 'the end of the run',
  });
  const by = { ...lease, redisMs: expect.any(Number) };
  expect(events).toEqual([
    { kind: 'store-unknown', why: 'begun' },
    { kind: 'store-acquired', ...by, leaseUntilMs: nowMs + 60_000 },
    { kind: 'store-renewed', ...by, leaseUntilMs: expect.any(Number) },
    { kind: 'store-wrote', ...by, what: 'HSET snapshot:chunks' },
    { kind: 'store-wrote', ...by, what: 'HSET snapshot:manifests' },
    { kind: 'store-ended', ...by, phase: 'Complete', publishes: manifest.digest },
  ]);
});
