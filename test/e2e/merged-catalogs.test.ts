import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { OFFICIAL_META, SYNCLINE_META } from '@syncline/rows';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { writeRegistryFile } from '../support/registry-file.ts';
import { generateRows } from '../support/rows/generate.ts';
import {
  loadConflictingServers,
  loadOfficialBase,
  loadOfficialChanges,
  NO_REAL_DATA,
} from '../support/rows/real-data.ts';
import { type OfficialRow, rowKey } from '../support/rows/row.ts';
import { type System, startSystem } from '../support/system.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { untilComplete, untilRegistry, untilRun } from '../support/until-registry.ts';

const ROWS = generateRows({ count: 600, seed: 33 });
const NAMES = [...new Set(ROWS.map(({ server }) => server.name))];
const CATALOG = 'catalog.default';

function rowsOf(names: readonly string[], description?: string): OfficialRow[] {
  return ROWS.filter(({ server }) => names.includes(server.name)).map((row) =>
    description === undefined ? row : { ...row, server: { ...row.server, description } },
  );
}

async function start() {
  const shared = NAMES.slice(0, 20);
  const internal = await writeRegistryFile(rowsOf(shared, 'ours'));
  const official = await writeRegistryFile(ROWS);
  const system = await startSystem({
    config: {
      registries: [
        { name: 'internal', file: { path: internal.path }, syncPolicy: { interval: '1s' } },
        { name: 'official', file: { path: official.path }, syncPolicy: { interval: '1h' } },
      ],
      catalogs: [{ name: 'default', registries: ['internal', 'official'] }],
    },
  });
  await untilComplete(system.client, CATALOG);
  return { ...system, internal, official, shared };
}

function sourcesOf(rows: readonly OfficialRow[]): Record<string, string[]> {
  const sources: Record<string, Set<string>> = {};
  for (const { server, _meta } of rows) {
    const { source } = _meta[SYNCLINE_META] as { source: string };
    sources[source] ??= new Set();
    sources[source].add(server.name);
  }
  return Object.fromEntries(
    Object.entries(sources).map(([source, names]) => [source, [...names].sort()]),
  );
}

test('a catalog serves each name from the first registry that has it, and follows changes at once', async () => {
  const { client, internal, shared } = await start();
  const before = await client.allServers('default');
  expect(before).toHaveLength(ROWS.length);
  expect(sourcesOf(before)).toEqual({
    internal: shared.toSorted(),
    official: NAMES.filter((name) => !shared.includes(name)).sort(),
  });
  const conflicts = await client.get('/v1/catalogs/default/conflicts?limit=100');
  expect(conflicts.status).toBe(200);

  const [moved = '', ...rest] = shared;
  const since = new Date().toISOString();
  await internal.replace(rowsOf(rest, 'ours'));
  const run = await untilRun(client, CATALOG, ({ trigger, outcome, diff }) => {
    return trigger === 'change' && outcome === 'published' && (diff?.updated ?? 0) > 0;
  });
  const versions = rowsOf([moved]).length;
  // The same versions, now with the body of the other registry.
  expect(run.diff).toMatchObject({ added: 0, updated: versions, removed: 0 });
  const after = await client.get(
    `/registry/default/v0.1/servers?limit=100&updated_since=${encodeURIComponent(since)}`,
  );
  const changed = (after.body as { servers: OfficialRow[] }).servers;
  expect(sourcesOf(changed)).toEqual({ official: [moved] });
  expect(changed).toHaveLength(versions);
});

test('clients that read changes see removed rows as deleted', async () => {
  const { client, internal, shared } = await start();
  const [extra] = generateRows({ count: 1, seed: 99 });
  if (extra === undefined) throw new Error('expected a row');
  await internal.replace([...rowsOf(shared, 'ours'), extra]);
  await untilRun(client, CATALOG, ({ diff }) => diff?.added === 1);
  await internal.replace(rowsOf(shared, 'ours'));
  await untilRun(client, CATALOG, ({ diff }) => diff?.updated === 1);
  const path = `/registry/default/v0.1/servers/${encodeURIComponent(extra.server.name)}/versions/latest`;
  expect((await client.get(path)).status).toBe(404);
  const deleted = await client.get(`${path}?include_deleted=true`);
  expect(deleted.body).toMatchObject({
    server: extra.server,
    _meta: {
      [OFFICIAL_META]: { status: 'deleted' },
      [SYNCLINE_META]: { source: 'internal', tombstone: true },
    },
  });
});

test('a catalog is not ready until all its registries have been synced', async () => {
  const official = await writeRegistryFile(ROWS);
  const system = await startSystem({
    config: {
      registries: [
        { name: 'late', file: { path: `${official.path}.later` } },
        { name: 'official', file: { path: official.path } },
      ],
      catalogs: [{ name: 'default', registries: ['late', 'official'] }],
    },
    workers: 1,
  });
  const { client } = system;
  await untilComplete(client, 'official');
  await untilRegistry(
    client,
    CATALOG,
    ({ status }) =>
      status.reason === 'members-not-ready' &&
      status.message === 'waiting for the first sync of late',
  );
  expect(await client.get('/registry/default/v0.1/servers')).toMatchObject({
    status: 503,
    body: { code: 'catalog-not-ready' },
  });
  await system.config.replace({
    registries: [{ name: 'official', file: { path: official.path } }],
    catalogs: [{ name: 'default', registries: ['official'] }],
  });
  await untilComplete(client, CATALOG);
  expect(await client.allServers('default')).toHaveLength(ROWS.length);
});

test('all conflicts of two real registries are listed, and the first registry is served', async (ctx) => {
  const conflicting = loadConflictingServers();
  const base = loadOfficialBase();
  const changes = loadOfficialChanges();
  if (conflicting === undefined || base === undefined || changes === undefined) {
    return ctx.skip(NO_REAL_DATA);
  }
  const official = new Map(
    [...base, ...changes.flatMap(({ upserts }) => upserts)].map((row) => [rowKey(row), row]),
  );
  const curated = await writeFileIn('curated.json', JSON.stringify(conflicting));
  const upstream = await writeRegistryFile([...official.values()]);
  const system = await startSystem({
    config: {
      registries: [
        { name: 'curated', file: { path: curated }, syncPolicy: { interval: '1h' } },
        { name: 'official', file: { path: upstream.path }, syncPolicy: { interval: '1h' } },
      ],
      catalogs: [{ name: 'default', registries: ['curated', 'official'] }],
    },
    workers: 1,
  });
  await untilComplete(system.client, CATALOG);

  const expected = conflicting
    .filter((server) => {
      const other = official.get(`${server.name}@${server.version}`)?.server;
      return other !== undefined && !isDeepStrictEqual(server, other);
    })
    .map(({ name, version }) => `${name}@${version}`);
  const told = await allConflicts(system, 'default');
  expect(expected.length).toBeGreaterThan(200);
  expect(told.map(({ name, version }) => `${name}@${version}`).sort()).toEqual(expected.sort());
  expect(new Set(told.map(({ served }) => served))).toEqual(new Set(['curated']));

  const curatedNames = new Set(conflicting.map(({ name }) => name));
  const served = await system.client.allServers('default');
  for (const { server, _meta } of served) {
    const { source } = _meta[SYNCLINE_META] as { source: string };
    expect(source).toBe(curatedNames.has(server.name) ? 'curated' : 'official');
  }
  expect(served.filter(({ server }) => curatedNames.has(server.name))).toHaveLength(
    conflicting.length,
  );
});

async function writeFileIn(name: string, text: string): Promise<string> {
  const file = path.join(await temporaryDirectory(), name);
  await writeFile(file, text);
  return file;
}

const conflictsSchema = z.object({
  conflicts: z.array(
    z.object({ name: z.string(), version: z.string(), served: z.string().nullable() }),
  ),
  nextCursor: z.string().optional(),
});

async function allConflicts({ client }: System, catalog: string) {
  const conflicts: z.infer<typeof conflictsSchema>['conflicts'] = [];
  for (let cursor: string | undefined = ''; cursor !== undefined; ) {
    const query: string = cursor === '' ? '' : `&cursor=${cursor}`;
    const page: z.infer<typeof conflictsSchema> = await client.getJson(
      `/v1/catalogs/${catalog}/conflicts?limit=100${query}`,
      conflictsSchema,
    );
    conflicts.push(...page.conflicts);
    cursor = page.nextCursor;
  }
  return conflicts;
}
