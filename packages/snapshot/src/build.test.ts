import { MAX_SERVER_BYTES, MAX_SNAPSHOT_BYTES } from '@syncline/rows';
import { describe, expect, test } from 'vitest';
import { SnapshotBuilder } from './build.ts';
import { decodeRows } from './encoding/chunk.ts';
import { EMPTY_MANIFEST } from './encoding/manifest.ts';
import { RetainedBytes } from './retained-bytes.ts';
import type { Blob } from './store.ts';
import { build, ingested } from './testing/test-snapshots.ts';

const NOW_MS = Date.parse('2026-02-01T12:00:00Z');
const TOTALS = { sourceRowCount: 0, skillCount: 0, pluginCount: 0 };

function rows(count: number, text: string): object[] {
  return Array.from({ length: count }, (_, index) => ({
    name: `a/s${String(index).padStart(6, '0')}`,
    version: '1',
    description: `${text} é ${index}`,
  }));
}

/** Returns blobs by digest, and remembers how many were asked for at once. */
function readerOf(blobs: readonly Blob[]) {
  const known = new Map(blobs.map((blob) => [blob.digest, blob]));
  const calls: number[] = [];
  const readChunks = async (digests: readonly string[]) => {
    calls.push(digests.length);
    return digests.flatMap((digest) => known.get(digest) ?? []);
  };
  return { calls, readChunks };
}

describe('SnapshotBuilder', () => {
  test('gives the same snapshot, whether it keeps changed chunks compressed or not', async () => {
    const text = 'x'.repeat(20_000);
    const first = await build(rows(1_000, text), { nowMs: NOW_MS });
    const { calls, readChunks } = readerOf(first.newChunks);
    const retained = new RetainedBytes();
    const builder = new SnapshotBuilder({ previous: first.manifest, retained });
    const changed = rows(1_001, text).map((row, index) =>
      index % 2 === 0 ? row : { ...row, title: 'new' },
    );
    builder.push(ingested(changed.slice(1)));
    // 20 MB of rows wait, of which 4 MiB are not compressed.
    expect(retained.count).toBeLessThan(6_000_000);
    const built = await builder.finish({ ...TOTALS, nowMs: NOW_MS + 1, readChunks });
    expect(built.diff).toMatchObject({ added: 1, updated: 500, removed: 1 });
    expect(Math.max(...calls)).toBeLessThanOrEqual(32);
    const blobs = new Map(built.newChunks.map((blob) => [blob.digest, blob]));
    const stored = built.manifest.chunks.flatMap((chunk) => {
      const blob = blobs.get(chunk.digest);
      return blob === undefined ? [] : decodeRows(blob, chunk);
    });
    expect(stored.map(({ value }) => value.server)).toEqual(changed.slice(1));
    expect(stored.filter(({ updatedAtMs }) => updatedAtMs === NOW_MS + 1)).toHaveLength(501);
    expect(stored.filter(({ firstSeenAtMs }) => firstSeenAtMs === NOW_MS + 1)).toHaveLength(1);
    expect(retained.count).toBe(built.newChunks.reduce((sum, { bytes }) => sum + bytes.length, 0));
  });

  test('rejects a server whose versions are too large together', () => {
    const version = (index: number) => ({
      name: 'a/s',
      version: `1.0.${index}`,
      description: 'x'.repeat(200_000),
    });
    const count = Math.ceil(MAX_SERVER_BYTES / 200_000);
    const versions = ingested(Array.from({ length: count }, (_, index) => version(index)));
    const push = (some: typeof versions) => () =>
      new SnapshotBuilder({ previous: undefined }).push(some);
    expect(push(versions.slice(2))).not.toThrow();
    expect(push(versions)).toThrow(expect.objectContaining({ code: 'source-server-too-large' }));
  });

  test('rejects a snapshot that is too large, with the chunks that it keeps', () => {
    const builder = new SnapshotBuilder({ previous: EMPTY_MANIFEST });
    const chunk = { firstKey: 'a', count: 1, digest: 'd', contentDigest: 'c', newestMs: 1 };
    builder.keep({ ...chunk, bytes: MAX_SNAPSHOT_BYTES });
    expect(() => builder.keep({ ...chunk, bytes: 1 })).toThrow(
      expect.objectContaining({ code: 'snapshot-too-large' }),
    );
  });

  test('fails before it retains more than the limit', () => {
    const retained = new RetainedBytes(100_000);
    const builder = new SnapshotBuilder({ previous: EMPTY_MANIFEST, retained });
    expect(() => builder.push(ingested(rows(1_000, 'x'.repeat(500))))).toThrow(
      expect.objectContaining({ code: 'run-out-of-memory' }),
    );
  });
});
