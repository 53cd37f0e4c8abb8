import { expect, test } from 'vitest';
import { ChunkCache, type DecodedChunk } from './chunk-cache.ts';

const chunk = (bytes: number): DecodedChunk => ({ keys: [], rows: [], bytes });

function setUp() {
  const clock = { nowMs: 0 };
  const cache = new ChunkCache({ maxBytes: 10, nowMs: () => clock.nowMs });
  const cached = (...keys: string[]) => keys.filter((key) => cache.get(key) !== undefined);
  return { cache, clock, cached };
}

test('drops the least recently used chunk if there are too many bytes', () => {
  const { cache, cached } = setUp();
  cache.set('a', chunk(4), 'page');
  cache.set('b', chunk(4), 'page');
  cache.get('a');
  cache.set('c', chunk(4), 'page');
  expect(cached('a', 'b', 'c')).toEqual(['a', 'c']);
  expect(cache.bytes).toBe(8);
});

test('does not keep a chunk larger than the cache', () => {
  const { cache } = setUp();
  cache.set('large', chunk(11), 'page');
  expect([cache.get('large'), cache.bytes]).toEqual([undefined, 0]);
});

test('counts a chunk that is set again only once', () => {
  const { cache } = setUp();
  for (let read = 0; read < 5; read += 1) cache.set('a', chunk(4), 'page');
  expect(cache.bytes).toBe(4);
});

test('a scan uses free room, and pushes out only what nobody has read for a minute', () => {
  const { cache, clock, cached } = setUp();
  cache.set('page', chunk(6), 'page');
  cache.set('scanned', chunk(4), 'scan');
  cache.set('more', chunk(4), 'scan');
  expect(cached('page', 'scanned', 'more')).toEqual(['page', 'scanned']);
  clock.nowMs = 50_000;
  cache.get('page');
  clock.nowMs = 70_000;
  cache.set('more', chunk(4), 'scan');
  expect(cached('page', 'scanned', 'more')).toEqual(['page', 'more']);
});
