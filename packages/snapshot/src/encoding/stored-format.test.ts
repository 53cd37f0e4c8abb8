import { sha256 } from '@syncline/contract';
import { expect, test } from 'vitest';
import { createSnapshotReader } from '../reader.ts';
import { build } from '../testing/test-snapshots.ts';

const OFFICIAL = 'io.modelcontextprotocol.registry/official';
const NOW_MS = Date.parse('2026-02-01T12:00:00Z');
const DEPRECATED = {
  server: { name: 'io.x/é', version: '1.0.0', description: 'does things' },
  _meta: { [OFFICIAL]: { status: 'deprecated', publishedAt: '2025-01-01T00:00:00Z' } },
};
const BARE = { name: 'io.x/b', version: '2', description: 'x', tags: [1] };

/** A snapshot of both rows and a skill, as version 0.1.0 stored it. */
const MANIFEST =
  'KLUv/WBtAB0KAOQR3gANoXYBqHJvd0NvdW50Aq5zb3VyY2VSq3NlcnZlcqpza2lsbACrcGx1Z2luqG5ld2VzdE1zy0J5wZEvoAAAq2F0dGFjaG1lbnRzkd4ABKRraW5kpnOmZGlnZXN02UBmOThjMTVmMjBmMWZiMjkzOThjYTJmZjI3NzVjZDMyMjdjNjczNDg4MzE3MGNmZWFlMzI0NDk3NTEyZGNmZWY4rWNvbnRlbnREIGI3MTNmNmQyYTk4OWU5MDdjNTg1MTZhN2M4YmI0ODc3pWMBqWZpcnN0S2V5c5GoaW8ueC9iADKmc5ECp3PEIFTGMxfox36mkMZJpE9N3IgqrDxESXL6dB7hCaFQaotnrnPEEBpDiHTNGRhVgy5Hs0GL2/CmkQwAGFuEjB0YA3YeyAzhc23ntz9NMQZDuBrmxJcLYY7NEHMM';
const CHUNK =
  'KLUv/WBXADUHAFZQMySQp+n/+92d3l4kJETa0EscrrUmu9lvD3frymBVba9tYOR3RxonACoAKgBSPw4mvO1543rnOYYbPY8wSMVz12/DnE96uBFc/nTo2eDB59JHnwKvH3xa2nZewmx7TfHcz4vjEg3A+5oqVLEQEjLGSc96m4JnRNah54X18wGFAEMZ1/ehbYIdg4Ce59s2SxY+265nqFnzJz3DXOIU5RkOYLNbFhbMSwIRUakOfR+cXYFm6JQnolIdzdoDPZGV69A3bzPmicQYT6BKDSxVWCoHAGQ1DurXaGHQLeZ3xdG2AsBBYTMK';
const SKILLS = 'KLUv/SAJSQAAW3siYSI6MX1d';

test('rows have the same content digest as in version 0.1.0', async () => {
  const attachments = [{ kind: 'skills', items: ['{"a":1}'] }] as const;
  const { manifest } = await build([DEPRECATED, BARE], { nowMs: NOW_MS, attachments });
  expect(manifest.chunks.map((chunk) => chunk.contentDigest)).toEqual([
    '1a438874cd191855832e47b3418bdbf0',
  ]);
  expect(manifest.attachments?.map(({ contentDigest }) => contentDigest)).toEqual([
    'b713f6d2a989e907c58516a7c8bb4877',
  ]);
});

test('reads a snapshot that version 0.1.0 stored', async () => {
  const blobs = new Map(
    [CHUNK, SKILLS].map((text) => {
      const bytes = Buffer.from(text, 'base64');
      return [sha256(bytes), bytes];
    }),
  );
  const manifest = Buffer.from(MANIFEST, 'base64');
  const reader = createSnapshotReader({
    store: {
      readPointer: async () => sha256(manifest),
      readManifest: async () => manifest,
      readChunks: async (_registry, digests) => digests.map((digest) => blobs.get(digest)),
    },
  });
  const snapshot = await reader.open('alpha');
  const updatedAt = new Date(NOW_MS).toISOString();
  const official = { status: 'active', publishedAt: updatedAt, updatedAt, isLatest: true };
  const sync = { 'dev.syncline/sync': { source: 'alpha' } };
  expect(await Array.fromAsync(snapshot?.rows() ?? [])).toEqual([
    { server: BARE, _meta: { [OFFICIAL]: official, ...sync } },
    {
      server: DEPRECATED.server,
      _meta: { [OFFICIAL]: { ...official, ...DEPRECATED._meta[OFFICIAL] }, ...sync },
    },
  ]);
  expect(await snapshot?.attachment('skills')).toEqual([{ a: 1 }]);
});
