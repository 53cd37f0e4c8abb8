import { type ServedRow, SYNCLINE_META } from '@syncline/rows';
import { testRow, testSnapshot } from '@syncline/snapshot/testing';
import { describe, expect, test } from 'vitest';
import { decodeCursor, encodeCursor } from './cursor.ts';
import { listServers, readServers, type ServerList } from './list-servers.ts';
import { parseListQuery, parseVersionQuery } from './query.ts';
import { getVersion, listVersions } from './show-server.ts';

const FRESH = () => ({ syncedAt: '2026-02-01T00:00:00Z', stale: false });

async function list(rows: readonly ServedRow[], query = ''): Promise<ServerList> {
  return listServers(testSnapshot(rows), parseListQuery(new URLSearchParams(query)), FRESH);
}

function keysOf(page: ServerList): string[] {
  return page.servers.map(({ server }) => `${server.name}@${server.version}`);
}

async function keys(rows: readonly ServedRow[], query = ''): Promise<string[]> {
  return keysOf(await list(rows, query));
}

async function walk(rows: readonly ServedRow[], query: string): Promise<string[][]> {
  const pages: string[][] = [];
  let cursor: string | undefined;
  do {
    const page = await list(rows, cursor === undefined ? query : `${query}&cursor=${cursor}`);
    pages.push(keysOf(page));
    cursor = page.metadata.nextCursor;
  } while (cursor !== undefined);
  return pages;
}

describe('listServers', () => {
  test('sorts by bytes: upper case first, versions as text', async () => {
    const rows = [
      testRow('b.c/d@1.0.0'),
      testRow('a.b/é@1.0.0'),
      testRow('a.b/z@1.10.0'),
      testRow('a.b/z@1.9.0'),
      testRow('B.c/d@1.0.0'),
    ];
    expect(await keys(rows)).toEqual([
      'B.c/d@1.0.0',
      'a.b/z@1.10.0',
      'a.b/z@1.9.0',
      'a.b/é@1.0.0',
      'b.c/d@1.0.0',
    ]);
  });

  test('walks every row once, and returns no cursor on the last page', async () => {
    const rows = Array.from({ length: 7 }, (_, index) => testRow(`a.b/s${index}@1.0.0`));
    for (const limit of [1, 2, 3, 7, 100]) {
      const pages = await walk(rows, `limit=${limit}`);
      expect(pages).toHaveLength(Math.ceil(7 / limit));
      expect(pages.flat()).toEqual(await keys(rows));
    }
  });

  test('a walk continues at its position when rows change in between', async () => {
    const before = ['a/a@1.0.0', 'a/c@1.0.0', 'a/e@1.0.0'] as const;
    const first = await list(
      before.map((key) => testRow(key)),
      'limit=2',
    );
    const after = ['a/a@1.0.0', 'a/b@1.0.0', 'a/d@1.0.0', 'a/e@1.0.0'] as const;
    const cursor = first.metadata.nextCursor;
    expect(
      await keys(
        after.map((key) => testRow(key)),
        `cursor=${cursor}`,
      ),
    ).toEqual(['a/d@1.0.0', 'a/e@1.0.0']);
  });

  test('returns metadata for an empty list', async () => {
    expect(await list([])).toEqual({ servers: [], metadata: { count: 0 } });
  });

  test('returns rows as stored, with their freshness in the Syncline metadata block', async () => {
    const row = testRow('a.b/c@1.0.0', { server: { repository: {}, unknown: [1, null] } });
    const stored = structuredClone(row);
    const [served] = (await list([row])).servers;
    expect(row).toEqual(stored);
    expect(served).toEqual({
      server: stored.server,
      _meta: {
        ...stored._meta,
        [SYNCLINE_META]: { source: 'test', syncedAt: '2026-02-01T00:00:00Z', stale: false },
      },
    });
  });

  test('searches names and descriptions for literal text, ignoring case', async () => {
    const rows = [
      testRow('a.b/Weather@1.0.0'),
      testRow('a.b/other@1.0.0', { server: { description: 'Tells the WEATHER' } }),
      testRow('a.b/percent@1.0.0', { server: { description: '100% a_b' } }),
      testRow('a.b/odd@1.0.0', { server: { description: 7 } }),
    ];
    expect(await keys(rows, 'search=weaTHer')).toEqual(['a.b/Weather@1.0.0', 'a.b/other@1.0.0']);
    expect(await keys(rows, 'search=%25')).toEqual(['a.b/percent@1.0.0']);
    expect(await keys(rows, 'search=.%2B')).toEqual([]);
  });

  test('filters by version: the latest one, or an exact version', async () => {
    const rows = [
      testRow('a/a@1.0.0', { official: { isLatest: false } }),
      testRow('a/a@2.0.0'),
      testRow('a/b@1.0.0'),
    ];
    expect(await keys(rows, 'version=latest')).toEqual(['a/a@2.0.0', 'a/b@1.0.0']);
    expect(await keys(rows, 'version=1.0.0')).toEqual(['a/a@1.0.0', 'a/b@1.0.0']);
    expect(await keys(rows, 'version=1.0')).toEqual([]);
  });

  test('updated_since excludes its own instant, to the microsecond, and includes deleted rows', async () => {
    const updatedAt = (at: string, status: 'active' | 'deleted' = 'active') => ({
      official: { updatedAt: at, status },
    });
    const rows = [
      testRow('a/at@1.0.0', updatedAt('2026-01-01T10:00:00.123456Z')),
      testRow('a/after@1.0.0', updatedAt('2026-01-01T10:00:00.123457Z')),
      testRow('a/before@1.0.0', updatedAt('2026-01-01T10:00:00.1Z')),
      testRow('a/deleted@1.0.0', updatedAt('2026-01-01T11:00:00Z', 'deleted')),
    ];
    const expected = ['a/after@1.0.0', 'a/deleted@1.0.0'];
    expect(await keys(rows, 'updated_since=2026-01-01T10:00:00.123456Z')).toEqual(expected);
    expect(await keys(rows, 'updated_since=2026-01-01T12:00:00.123456%2B02:00')).toEqual(expected);
  });

  test('shows deleted rows only on request', async () => {
    const rows = [testRow('a/a@1.0.0', { official: { status: 'deleted' } }), testRow('a/b@1.0.0')];
    expect(await keys(rows)).toEqual(['a/b@1.0.0']);
    expect(await keys(rows, 'include_deleted=false')).toEqual(['a/b@1.0.0']);
    expect(await keys(rows, 'include_deleted=true')).toEqual(['a/a@1.0.0', 'a/b@1.0.0']);
  });

  test('a search through many rows yields to other work', async () => {
    const rows = Array.from({ length: 12_000 }, (_, index) => testRow(`a.b/s${index}@1.0.0`));
    const turns: number[] = [];
    let done = false;
    const count = () => {
      turns.push(turns.length);
      if (!done) setImmediate(count);
    };
    setImmediate(count);
    expect(await keys(rows, 'search=nowhere')).toEqual([]);
    done = true;
    expect(turns.length).toBeGreaterThan(1);
  });

  test('filters in a cursor override those of the request', async () => {
    const rows = ['a/x1@1.0.0', 'a/x2@1.0.0', 'a/y@1.0.0'] as const;
    const all = rows.map((key) => testRow(key));
    const { metadata } = await list(all, 'search=x&limit=1');
    const cursor = metadata.nextCursor;
    expect(await keys(all, `cursor=${cursor}`)).toEqual(['a/x2@1.0.0']);
    expect(await keys(all, `search=y&cursor=${cursor}`)).toEqual(['a/x2@1.0.0']);
  });
});

describe('parseListQuery', () => {
  test('applies defaults, and ignores empty and unknown parameters', () => {
    const expected = { limit: 30, filters: { includeDeleted: false } };
    expect(parseListQuery(new URLSearchParams())).toEqual(expected);
    expect(parseListQuery(new URLSearchParams('search=&limit=&cursor=&source=cli'))).toEqual(
      expected,
    );
  });

  test.each([
    ['limit', 'limit=0'],
    ['limit', 'limit=101'],
    ['limit', 'limit=1.5'],
    ['limit', 'limit=ten'],
    ['limit', 'limit=-1'],
    ['include_deleted', 'include_deleted=maybe'],
    ['include_deleted', 'include_deleted=false&updated_since=2026-01-01T00:00:00Z'],
    ['updated_since', 'updated_since=yesterday'],
    ['updated_since', 'updated_since=2026-01-01'],
    ['updated_since', 'updated_since=2026-01-01T00:00Z'],
    ['updated_since', 'updated_since=2026-01-01T00:00:00'],
    ['updated_since', 'updated_since=2026-02-30T00:00:00Z'],
    ['updated_since', 'updated_since=2026-01-01T00:00:00+02:00'],
    ['cursor', 'cursor=io.github.a/b:1.0.0'],
    ['cursor', 'cursor=%00'],
    ['cursor', `cursor=${Buffer.from('{"n":"a"}').toString('base64url')}`],
    ['cursor', `cursor=${Buffer.from('{"n":"a","v":"1","since":"x"}').toString('base64url')}`],
  ])('rejects and names %s: %s', (field, query) => {
    expect(() => parseListQuery(new URLSearchParams(query))).toThrowError(
      expect.objectContaining({
        code: 'bad-request',
        message: expect.stringMatching(`^invalid query: ${field}\\b`),
      }),
    );
  });

  test('accepts true, false, 1 and 0 as a flag', () => {
    for (const [text, includeDeleted] of Object.entries({ true: true, 1: true, FALSE: false })) {
      expect(parseVersionQuery(new URLSearchParams({ include_deleted: text }))).toEqual({
        includeDeleted,
      });
    }
  });
});

describe('cursors', () => {
  const content = {
    after: { name: 'a.b/é?&=#+', version: '1.0.0+build' },
    filters: {
      search: 'a b&c',
      version: 'latest',
      updatedSince: '2026-01-01T00:00:00+02:00',
      includeDeleted: true,
    },
  };

  test('need no encoding in a URL, and decode to all their content', () => {
    const cursor = encodeCursor(content);
    expect(cursor).toMatch(/^[A-Za-z0-9_-]+$/);
    expect(decodeCursor(cursor)).toEqual(content);
  });

  test('are rejected if they are truncated or padded', () => {
    const cursor = encodeCursor(content);
    for (const broken of [cursor.slice(0, -3), `${cursor}=`, `${cursor} `, '']) {
      expect(() => decodeCursor(broken), broken).toThrowError(/cursor/);
    }
  });
});

describe('a page of large rows', () => {
  const LARGE = 256 * 1024;
  const large = (count: number) =>
    Array.from({ length: count }, (_, index) =>
      testRow(`a/a@1.${index}.0`, { server: { text: 'x'.repeat(LARGE) } }),
    );

  test('ends early, and the next pages have the rest', async () => {
    const pages = await walk(large(8), 'limit=100');
    expect(pages.map(({ length }) => length)).toEqual([3, 3, 2]);
    expect(pages.flat()).toEqual(large(8).map(({ server }) => `a/a@${server.version}`));
  });

  test('has at least one row', async () => {
    const huge = [1, 2].map((patch) =>
      testRow(`a/a@1.0.${patch}`, { server: { text: 'x'.repeat(8 * LARGE) } }),
    );
    expect(await walk(huge, 'limit=100')).toEqual([['a/a@1.0.1'], ['a/a@1.0.2']]);
  });

  test('of versions ends early too', async () => {
    const snapshot = testSnapshot(large(8));
    const found: string[] = [];
    let cursor: string | undefined;
    do {
      const request = { name: 'a/a', includeDeleted: false, cursor };
      const page = await listVersions(snapshot, request, FRESH);
      found.push(...keysOf(page));
      cursor = page.metadata.nextCursor;
    } while (cursor !== undefined);
    expect(found).toEqual(large(8).map(({ server }) => `a/a@${server.version}`));
  });

  test('of versions rejects the cursor of a version that is gone, or of another server', async () => {
    const snapshot = testSnapshot(large(2));
    for (const after of [
      { name: 'a/a', version: '9.0.0' },
      { name: 'b/b', version: '1.0.0' },
    ]) {
      const cursor = encodeCursor({ after, filters: { includeDeleted: false } });
      const request = { name: 'a/a', includeDeleted: false, cursor };
      await expect(listVersions(snapshot, request, FRESH)).rejects.toMatchObject({
        code: 'bad-request',
      });
    }
  });
});

test('a list stops when nobody needs it anymore', async () => {
  const gone = new AbortController();
  let batches = 0;
  const endless = {
    async *batches() {
      for (;;) {
        batches += 1;
        if (batches === 3) gone.abort();
        const untilMs = performance.now() + 10;
        while (performance.now() < untilMs);
        yield [testRow('a/a@1.0.0')];
      }
    },
  };
  const request = parseListQuery(new URLSearchParams('search=none'));
  const options = { freshnessOf: FRESH, signal: gone.signal };
  await expect(readServers(endless, request, options)).rejects.toThrow('aborted');
  expect(batches).toBe(3);
});

describe('a single server', () => {
  const rows = [
    testRow('a/a@1.0.0', { official: { isLatest: false, publishedAt: '2026-01-03T00:00:00Z' } }),
    testRow('a/a@1.9.0', { official: { isLatest: false, publishedAt: '2026-01-01T00:00:00.5Z' } }),
    testRow('a/a@1.10.0', { official: { isLatest: true, publishedAt: '2026-01-01T00:00:00.25Z' } }),
    testRow('a/a@2.0.0', { official: { isLatest: false, status: 'deleted' } }),
    testRow('a/gone@1.0.0', { official: { status: 'deleted' } }),
    testRow('a/flagless@1.9.0', { official: { isLatest: false } }),
    testRow('a/flagless@1.10.0', { official: { isLatest: false } }),
  ];
  const snapshot = testSnapshot(rows);
  const visible = { includeDeleted: false };
  const version = async (name: string, wanted: string, options = visible) =>
    (await getVersion(snapshot, { name, version: wanted, ...options }, { freshnessOf: FRESH }))
      .server.version;

  test('lists versions newest first by publishedAt', async () => {
    const page = await listVersions(snapshot, { name: 'a/a', ...visible }, FRESH);
    expect(keysOf(page)).toEqual(['a/a@1.0.0', 'a/a@1.9.0', 'a/a@1.10.0']);
    expect(page.metadata).toEqual({ count: 3 });
  });

  test('finds a deleted version only on request', async () => {
    await expect(version('a/a', '2.0.0')).rejects.toMatchObject({ code: 'server-not-found' });
    expect(await version('a/a', '2.0.0', { includeDeleted: true })).toBe('2.0.0');
    const page = await listVersions(snapshot, { name: 'a/a', includeDeleted: true }, FRESH);
    expect(page.metadata.count).toBe(4);
  });

  test('resolves latest to the marked version, or the highest if none is marked', async () => {
    expect(await version('a/a', 'latest')).toBe('1.10.0');
    expect(await version('a/flagless', 'latest')).toBe('1.10.0');
  });

  test('is not found if all its versions are deleted, unless deleted ones are requested', async () => {
    const request = { name: 'a/gone', ...visible };
    await expect(version('a/gone', 'latest')).rejects.toMatchObject({ code: 'server-not-found' });
    await expect(listVersions(snapshot, request, FRESH)).rejects.toMatchObject({
      code: 'server-not-found',
    });
    expect(await version('a/gone', 'latest', { includeDeleted: true })).toBe('1.0.0');
  });

  test('is not found by an unknown name, or a name in another case', async () => {
    for (const name of ['a/nobody', 'A/a', 'a/a ']) {
      await expect(version(name, 'latest')).rejects.toMatchObject({ code: 'server-not-found' });
    }
  });
});
