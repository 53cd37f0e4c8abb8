/** The lists of registries and catalogs have pages. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { MemoryWorld, serveApi } from './testing/memory-api.ts';

const names = Array.from({ length: 1_200 }, (_, index) => `r-${index}`);
const CONFIG = { registries: names.map((name) => ({ name, file: { path: '/registry.json' } })) };

let world: MemoryWorld;
let api: Awaited<ReturnType<typeof serveApi>>;
beforeEach(async () => {
  world = new MemoryWorld(CONFIG);
  api = await serveApi(world.dependencies());
});
afterEach(() => api[Symbol.asyncDispose]());

interface Found {
  readonly names: string[];
  readonly nextCursor: string | undefined;
}

async function get(path: string): Promise<Found> {
  const response = await fetch(`${api.url}${path}`);
  expect(response.status).toBe(200);
  const body = (await response.json()) as Record<string, unknown>;
  const { nextCursor, registries, catalogs } = body;
  const items = (registries ?? catalogs) as { name: string }[];
  expect(nextCursor === undefined || typeof nextCursor === 'string').toBe(true);
  return { names: items.map(({ name }) => name), nextCursor: nextCursor as string | undefined };
}

async function walk(path: string, query: string): Promise<string[][]> {
  const pages: string[][] = [];
  let cursor: string | undefined;
  do {
    const page = await get(`${path}?${query}${cursor === undefined ? '' : `&cursor=${cursor}`}`);
    pages.push(page.names);
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  return pages;
}

describe.each(['/v1/registries', '/v1/catalogs'])('%s', (path) => {
  test('has 500 items on a page by default, and all of them once, in the order of the config', async () => {
    const pages = await walk(path, '');
    expect(pages.map(({ length }) => length)).toEqual([500, 500, 200]);
    expect(pages.flat()).toEqual(names);
    expect((await walk(path, 'limit=700')).map(({ length }) => length)).toEqual([700, 500]);
  });

  test('continues at its position if the config changes between two pages', async () => {
    const first = await get(`${path}?limit=3`);
    expect(first.names).toEqual(['r-0', 'r-1', 'r-2']);
    world.config = new MemoryWorld({
      registries: ['r-0', 'new', 'r-2', 'r-3'].map((name) => ({ name, file: { path: '/x.json' } })),
    }).config;
    const next = `${path}?limit=3&cursor=${first.nextCursor}`;
    expect((await get(next)).names).toEqual(['r-3']);
    world.config = new MemoryWorld({
      registries: ['r-0', 'r-1', 'r-3', 'r-4'].map((name) => ({ name, file: { path: '/x.json' } })),
    }).config;
    expect((await get(next)).names).toEqual(['r-3', 'r-4']);
  });

  test.each(['limit=0', 'limit=1001', 'limit=x', 'cursor=x', 'cursor=e30'])(
    'rejects %s',
    async (query) => {
      const response = await fetch(`${api.url}${path}?${query}`);
      expect(response.status).toBe(400);
      expect(await response.json()).toMatchObject({ code: 'bad-request' });
    },
  );
});

test('registries can be filtered by a part of the name and by phase', async () => {
  expect((await get('/v1/registries?search=R-119')).names).toEqual([
    'r-119',
    ...Array.from({ length: 10 }, (_, index) => `r-119${index}`),
  ]);
  for (const name of ['r-7', 'r-700', 'r-1100']) world.setStatus(name, { phase: 'Failed' });
  expect(await walk('/v1/registries', 'phase=Failed&limit=2')).toEqual([
    ['r-7', 'r-700'],
    ['r-1100'],
  ]);
  const response = await fetch(`${api.url}/v1/registries?phase=failed`);
  expect(await response.json()).toMatchObject({ code: 'bad-request' });
});
