import { zstdCompressSync } from 'node:zlib';
import { sha256 } from '@syncline/contract';
import { displayKey, nameSortKey, sortKey } from '@syncline/rows';
import { pack } from 'msgpackr';
import { describe, expect, test } from 'vitest';
import { testBlob } from '../testing/test-blobs.ts';
import { build } from '../testing/test-snapshots.ts';
import { decodeChunk } from './chunk.ts';
import { decodeManifest, EMPTY_MANIFEST, encodeManifest, type Manifest } from './manifest.ts';

const NOW_MS = Date.parse('2026-02-01T12:00:00Z');

const EMPTY: Manifest = { ...EMPTY_MANIFEST, skillCount: 1, pluginCount: 2, newestMs: 3 };

async function built(count: number) {
  const rows = Array.from({ length: count }, (_, index) => ({
    name: `é/server-${index}`,
    version: '1',
    description: `row ${index}`,
  }));
  return build(rows, { nowMs: NOW_MS });
}

/** Returns any bytes under their correct digest. */
function blobOf(content: string | Uint8Array) {
  const bytes = zstdCompressSync(content);
  return { digest: sha256(bytes), bytes };
}

describe('a manifest', () => {
  test('is decoded as it was encoded', async () => {
    const { manifest } = await built(1_000);
    expect(manifest.chunks.length).toBeGreaterThan(5);
    expect(decodeManifest(encodeManifest(manifest))).toEqual(manifest);
  });

  test('may be empty', () => {
    expect(decodeManifest(encodeManifest(EMPTY))).toEqual(EMPTY);
  });

  test('has less than 80 bytes per chunk', async () => {
    const { manifest } = await built(10_000);
    expect(encodeManifest(manifest).bytes.length).toBeLessThan(manifest.chunks.length * 80);
  });

  test('may have attachments', () => {
    const attachment = {
      kind: 'skills',
      digest: 'a'.repeat(64),
      contentDigest: 'b'.repeat(32),
      count: 2,
    } as const;
    const manifest: Manifest = { ...EMPTY, attachments: [attachment] };
    expect(decodeManifest(encodeManifest(manifest))).toEqual(manifest);
  });

  test('of a view names its mirror and its filter, and other manifests name no mirror', () => {
    const view: Manifest = { ...EMPTY, mirror: 'a'.repeat(64), filterHash: 'b'.repeat(16) };
    expect(decodeManifest(encodeManifest(view))).toEqual(view);
    expect(decodeManifest(encodeManifest(EMPTY))).not.toHaveProperty('mirror');
  });

  test('is corrupt if its columns differ in length', async () => {
    const { manifest } = await built(100);
    const [chunk] = manifest.chunks;
    if (chunk === undefined) throw new Error('there is a chunk');
    for (const bad of [
      { ...chunk, digest: chunk.digest.slice(2) },
      { ...chunk, contentDigest: '' },
    ]) {
      const blob = encodeManifest({ ...manifest, chunks: [bad] });
      expect(() => decodeManifest(blob)).toThrow(
        expect.objectContaining({ code: 'snapshot-corrupt' }),
      );
    }
  });

  test('is corrupt after any bit flip', async () => {
    const { manifestBlob } = await built(50);
    for (const place of [0, 5, manifestBlob.bytes.length - 1]) {
      const bytes = Uint8Array.from(manifestBlob.bytes);
      bytes[place] = (bytes[place] ?? 0) ^ 1;
      expect(() => decodeManifest({ ...manifestBlob, bytes })).toThrow(
        expect.objectContaining({ code: 'snapshot-corrupt' }),
      );
    }
  });

  test('is corrupt in another schema version or format', () => {
    for (const blob of [blobOf(pack({ v: 2 })), blobOf('{}'), testBlob('not compressed')]) {
      expect(() => decodeManifest(blob)).toThrow(
        expect.objectContaining({ code: 'snapshot-corrupt' }),
      );
    }
  });
});

describe('a chunk', () => {
  test('is corrupt if it is cut off or has another digest', async () => {
    const { newChunks } = await built(10);
    const [chunk] = newChunks;
    if (chunk === undefined) throw new Error('there is a chunk');
    expect(decodeChunk(chunk).rows).toHaveLength(10);
    for (const bad of [
      { ...chunk, bytes: chunk.bytes.subarray(1) },
      { ...chunk, digest: 'a'.repeat(64) },
    ]) {
      expect(() => decodeChunk(bad)).toThrow(expect.objectContaining({ code: 'snapshot-corrupt' }));
    }
  });

  test('is corrupt in another schema version or format', () => {
    const chunk = { v: 2, rows: [], latest: [], updatedAt: [], firstSeenAt: [] };
    for (const blob of [blobOf(JSON.stringify(chunk)), blobOf('{'), testBlob('not compressed')]) {
      expect(() => decodeChunk(blob)).toThrow(
        expect.objectContaining({ code: 'snapshot-corrupt' }),
      );
    }
  });
});

describe('sort keys', () => {
  test('sort by the UTF-8 bytes of the name, then of the version', () => {
    const names = ['a', 'A', 'a-b', 'a/b', 'ab', 'é', 'z', '日本', '😀', '\uffee'];
    const rows = names.flatMap((name) =>
      ['1', '1.0', '10', '2'].map((version) => ({ name, version })),
    );
    const byKey = rows.toSorted((a, b) => (sortKey(a) < sortKey(b) ? -1 : 1));
    const byBytes = rows.toSorted(
      (a, b) =>
        Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)) ||
        Buffer.compare(Buffer.from(a.version), Buffer.from(b.version)),
    );
    expect(byKey).toEqual(byBytes);
  });

  test('of a name sort before all its versions, and after earlier names', () => {
    expect(nameSortKey('b') <= sortKey({ name: 'b', version: '' })).toBe(true);
    expect(nameSortKey('b') > sortKey({ name: 'a', version: '\u{10ffff}' })).toBe(true);
  });

  test('are displayed as name@version', () => {
    expect(displayKey(sortKey({ name: '日本/é', version: '1.0' }))).toBe('日本/é@1.0');
  });
});
