import { zstdCompressSync } from 'node:zlib';
import { SynclineError, sha256 } from '@syncline/contract';
import { FUZZ, jsonValues, mutated } from '@syncline/contract/testing';
import fc from 'fast-check';
import { pack } from 'msgpackr';
import { describe, expect, test } from 'vitest';
import type { Blob } from '../store.ts';
import { AS_CHUNK, chunkContent, decodeChunk, encodeChunk } from './chunk.ts';
import {
  type AttachmentKind,
  attach,
  decodeAttachment,
  decodeManifest,
  encodeManifest,
  type Manifest,
} from './manifest.ts';

const hex = (length: number) =>
  fc
    .array(fc.constantFrom(...'0123456789abcdef'), { minLength: length, maxLength: length })
    .map((digits) => digits.join(''));
const count = fc.nat({ max: 2 ** 31 });

const attachments = fc.array(
  fc.record({
    kind: fc.constantFrom<AttachmentKind>('skills', 'plugins'),
    digest: hex(64),
    contentDigest: hex(32),
    count,
  }),
  { minLength: 1, maxLength: 2 },
);

const manifests: fc.Arbitrary<Manifest> = fc.record(
  {
    rowCount: count,
    sourceRowCount: count,
    serverCount: count,
    skillCount: count,
    pluginCount: count,
    newestMs: fc.nat({ max: 4_000_000_000_000 }),
    chunks: fc.array(
      fc.record({
        firstKey: fc.string({ maxLength: 20 }),
        count,
        digest: hex(64),
        contentDigest: hex(32),
        newestMs: fc.nat({ max: 4_000_000_000_000 }),
      }),
      { maxLength: 5 },
    ),
    attachments,
  },
  {
    noNullPrototype: true,
    requiredKeys: [
      'rowCount',
      'sourceRowCount',
      'serverCount',
      'skillCount',
      'pluginCount',
      'newestMs',
      'chunks',
    ],
  },
);

const rows = fc.array(
  fc.tuple(jsonValues, fc.boolean()).map(([value, isLatest]) => ({
    json: JSON.stringify({ server: { value }, _meta: {} }),
    isLatest,
    updatedAtMs: AS_CHUNK,
    firstSeenAtMs: 1,
  })),
  { maxLength: 5 },
);

/** Returns any bytes under their correct digest, like a Redis that was tampered with. */
const blob = (bytes: Uint8Array): Blob => ({ bytes, digest: sha256(bytes) });

/** Decodes, and accepts `snapshot-corrupt` as the only error. */
function tryDecode(decode: (blob: Blob) => unknown, bytes: Uint8Array): void {
  try {
    decode(blob(bytes));
  } catch (error) {
    expect(error).toBeInstanceOf(SynclineError);
    expect(error).toMatchObject({ code: 'snapshot-corrupt' });
  }
}

const decoders = [
  ['manifest', decodeManifest],
  ['chunk', decodeChunk],
  ['attachment', decodeAttachment],
] as const;

describe.each<readonly [string, (blob: Blob) => unknown]>(decoders)('a %s', (_what, decode) => {
  test('of any bytes is decoded or rejected as corrupt, without another error', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 100 }),
      fc.uint8Array({ maxLength: 100 }).map((plain) => zstdCompressSync(plain)),
      jsonValues.map((value) => zstdCompressSync(JSON.stringify(value))),
      jsonValues.map((value) => zstdCompressSync(pack(value))),
      manifests.chain((manifest) => mutated(encodeManifest(manifest).bytes)),
      rows.chain((some) => mutated(encodeChunk(chunkContent(some), some).bytes)),
    );
    fc.assert(
      fc.property(bytes, (some) => tryDecode(decode, some)),
      FUZZ,
    );
  });
});

test('a manifest with mutated columns is decoded or rejected as corrupt, without another error', () => {
  const column = fc.constantFrom(
    'v',
    'firstKeys',
    'counts',
    'digests',
    'contentDigests',
    'newest',
    'attachments',
  );
  const good = {
    v: 1,
    rowCount: 1,
    sourceRowCount: 1,
    serverCount: 1,
    skillCount: 0,
    pluginCount: 0,
    newestMs: 1,
    firstKeys: ['a'],
    counts: [1],
    digests: Buffer.alloc(32),
    contentDigests: Buffer.alloc(16),
    newest: [1],
  };
  const value = fc.oneof(jsonValues, fc.uint8Array({ maxLength: 40 }));
  fc.assert(
    fc.property(column, value, (name, changed) =>
      tryDecode(decodeManifest, zstdCompressSync(pack({ ...good, [name]: changed }))),
    ),
    FUZZ,
  );
});

test('a manifest is decoded as it was encoded', () => {
  fc.assert(
    fc.property(manifests, (manifest) => {
      expect(decodeManifest(encodeManifest(manifest))).toEqual(manifest);
    }),
    FUZZ,
  );
});

test('a chunk is decoded as it was encoded', () => {
  fc.assert(
    fc.property(rows, (some) => {
      const chunk = decodeChunk(encodeChunk(chunkContent(some), some));
      expect(chunk.rows.map((row) => JSON.stringify(row))).toEqual(some.map(({ json }) => json));
      expect(chunk.latest).toEqual(some.map(({ isLatest }) => (isLatest ? 1 : 0)));
    }),
    FUZZ,
  );
});

test('an attachment is decoded as it was encoded', () => {
  fc.assert(
    fc.property(fc.array(jsonValues, { minLength: 1, maxLength: 5 }), (values) => {
      const items = values.map((value) => JSON.stringify(value));
      const { newBlobs } = attach([{ kind: 'skills', items }]);
      const decoded = newBlobs.flatMap(decodeAttachment);
      expect(decoded.map((value) => JSON.stringify(value))).toEqual(items);
    }),
    FUZZ,
  );
});
