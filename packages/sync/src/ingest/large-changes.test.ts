import { randomBytes } from 'node:crypto';
import { MemoryBudget } from '@syncline/sources';
import { expect, onTestFinished, test } from 'vitest';
import { IngestPool } from './ingest-pool.ts';

const NOW_MS = Date.parse('2026-02-01T12:00:00Z');
const ROW_BYTES = 250_000;
const PAGE_ROWS = 100;

/** A page of large rows. @param filler returns a text of about the given number of bytes */
function page(number: number, filler: (bytes: number) => string): Uint8Array {
  const servers = Array.from({ length: PAGE_ROWS }, (_, index) => ({
    name: `a/s${String(number * PAGE_ROWS + index).padStart(8, '0')}`,
    version: '1.0.0',
    description: filler(ROW_BYTES),
  }));
  return Buffer.from(JSON.stringify({ servers }));
}

const compressible = (bytes: number) => 'x'.repeat(bytes);
const incompressible = (bytes: number) => randomBytes((bytes * 3) / 4).toString('base64');

/** Builds a registry of five small rows, then adds pages of large rows until the session fails. */
async function changeEverything(
  pool: IngestPool,
  { pages, filler }: { pages: number; filler: (bytes: number) => string },
) {
  const signal = new AbortController().signal;
  using memory = pool.memory.open('large');
  const options = { order: 'arrival', signal, memory } as const;
  using first = pool.open({ ...options, previous: undefined });
  const small = Array.from({ length: 5 }, (_, index) => ({
    name: `a/s${String(index).padStart(8, '0')}`,
    version: '1.0.0',
    description: 'x',
  }));
  await first.add(Buffer.from(JSON.stringify({ servers: small })));
  const before = await first.build({ nowMs: NOW_MS, readChunks: async () => [] });
  using second = pool.open({ ...options, previous: before.manifestBlob });
  for (let number = 0; number < pages; number += 1) await second.add(page(number, filler));
  return await second.build({ nowMs: NOW_MS + 1, readChunks: async () => [...before.newChunks] });
}

test('a registry whose rows all become large succeeds or fails alone', async () => {
  const memory = new MemoryBudget({ totalBytes: 512 * 1024 * 1024 });
  const pool = new IngestPool({ heavyRuns: 2, memory });
  onTestFinished(() => pool.close());
  const built = await changeEverything(pool, { pages: 8, filler: compressible });
  expect(built.diff).toMatchObject({ added: 795, updated: 5, removed: 0 });
  expect(built.newChunks.length).toBeGreaterThan((800 * ROW_BYTES) / (2.5 * 1024 * 1024));
  await expect(
    changeEverything(pool, { pages: 1_000, filler: incompressible }),
  ).rejects.toMatchObject({ code: 'run-out-of-memory' });
  const again = await changeEverything(pool, { pages: 1, filler: compressible });
  expect(again.diff).toMatchObject({ added: 95, updated: 5 });
});
