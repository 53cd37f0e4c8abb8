import { expect, test } from 'vitest';
import { ChunkCache } from './chunk-cache.ts';
import { testRow } from './testing/memory-snapshot.ts';

const entries = (count: number) =>
  Array.from({ length: count }, () => ({ key: 'k', row: testRow('a@1') }));

test('drops the least recently used chunk if there are too many rows', () => {
  const cache = new ChunkCache(10);
  cache.set('a', entries(4));
  cache.set('b', entries(4));
  cache.get('a');
  cache.set('c', entries(4));
  expect([cache.get('a'), cache.get('b'), cache.get('c')].map((it) => it?.length)).toEqual([
    4,
    undefined,
    4,
  ]);
});

test('keeps a chunk larger than the cache while it is the newest', () => {
  const cache = new ChunkCache(10);
  cache.set('a', entries(4));
  cache.set('large', entries(11));
  expect([cache.get('a'), cache.get('large')?.length]).toEqual([undefined, 11]);
});

test('counts a chunk that several readers set only once', () => {
  const cache = new ChunkCache(10);
  for (let read = 0; read < 5; read += 1) cache.set('a', entries(4));
  cache.set('b', entries(4));
  expect(cache.get('a')).toHaveLength(4);
});
