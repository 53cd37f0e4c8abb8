import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { ConfigInput } from '@syncline/contract';
import { OFFICIAL_META } from '@syncline/rows';
import { describe, expect, test } from 'vitest';
import { compareBytes } from '../support/byte-order.ts';
import { generateRows } from '../support/rows/generate.ts';
import { ourMeta, withoutOurs } from '../support/rows/ours.ts';
import {
  loadOfficialBase,
  loadToolhiveExample,
  NO_REAL_DATA,
  realDataDirectory,
} from '../support/rows/real-data.ts';
import type { OfficialRow } from '../support/rows/row.ts';
import { type System, startSystem } from '../support/system.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { untilComplete } from '../support/until-registry.ts';
import { startUpstream } from '../support/upstream.ts';

const TOOLHIVE_FILE = 'toolhive/upstream-registry-example-2025-11-26.json';

describe('Syncline serves exactly the rows of the upstream', () => {
  test('for real data: a ToolHive file and the official registry', async (ctx) => {
    const toolhive = loadToolhiveExample();
    const official = loadOfficialBase();
    if (toolhive === undefined || official === undefined) return ctx.skip(NO_REAL_DATA);
    expect(toolhive.data.servers).toHaveLength(12);
    expect(official).toHaveLength(1_019);

    const file = path.join(realDataDirectory(), TOOLHIVE_FILE);
    await serveAndCompare({ file, servers: toolhive.data.servers, rows: official });
  });

  test('for generated data', async () => {
    const rows = generateRows({ count: 1_200, seed: 11 });
    const servers = generateRows({ count: 40, seed: 12 }).map(({ server }) => server);
    const file = path.join(await temporaryDirectory(), 'registry.json');
    await writeFile(
      file,
      JSON.stringify({ version: '1.0.0', meta: { last_updated: 'never' }, data: { servers } }),
    );
    await serveAndCompare({ file, servers, rows });
  });
});

interface Given {
  /** A file whose servers carry no data of any registry. */
  readonly file: string;
  readonly servers: readonly { readonly name: string; readonly version: string }[];
  /** The answer of an MCP Registry API. */
  readonly rows: readonly OfficialRow[];
}

async function serveAndCompare({ file, servers, rows }: Given): Promise<void> {
  const upstream = await startUpstream({ rows });
  const config: ConfigInput = {
    registries: [
      { name: 'local', file: { path: file }, syncPolicy: { interval: '1h' } },
      { name: 'official', api: { endpoint: upstream.url }, syncPolicy: { interval: '1h' } },
    ],
    catalogs: [{ name: 'default', registries: ['official'] }],
  };
  const begunAtMs = Date.now();
  const system = await startSystem({ config });
  const local = await untilComplete(system.client, 'local');
  const official = await untilComplete(system.client, 'official');
  await untilComplete(system.client, 'catalog.default');
  expect(local.status).toMatchObject({ versionCount: servers.length, quarantinedCount: 0 });
  expect(official.status).toMatchObject({ versionCount: rows.length, quarantinedCount: 0 });

  await expectOfficialRows(system, rows.toSorted(byNameAndVersion));
  await expectBareServers(system, servers);
  for (const row of await system.client.allServers('default')) {
    const { updatedAt } = row._meta[OFFICIAL_META];
    expect(Date.parse(updatedAt)).toBeGreaterThanOrEqual(begunAtMs - 1_000);
    expect(Date.parse(updatedAt)).toBeLessThanOrEqual(Date.now() + 1_000);
  }
}

function byNameAndVersion({ server: left }: OfficialRow, { server: right }: OfficialRow): number {
  return compareBytes(left.name, right.name) || compareBytes(left.version, right.version);
}

/** Everything is as it came, except `updatedAt` and our own block. */
async function expectOfficialRows({ client }: System, rows: readonly OfficialRow[]): Promise<void> {
  const served = await client.allServers('official', { parameters: { include_deleted: 'true' } });
  expect(served.map(withoutOurs)).toEqual(rows.map(withoutOurs));
  for (const [index, row] of served.entries()) {
    const { updatedAt } = rows[index]?._meta[OFFICIAL_META] ?? {};
    expect(ourMeta(row)).toMatchObject({
      source: 'official',
      upstreamUpdatedAt: updatedAt,
      stale: false,
    });
  }
  const catalog = await client.allServers('default', { parameters: { include_deleted: 'true' } });
  expect(catalog.map(withoutOurs)).toEqual(rows.map(withoutOurs));
  expect(catalog.map(ourMeta)).toEqual(served.map(ourMeta));
}

/** The server is as it came; Syncline sets the registry's data about its rows. */
async function expectBareServers({ client }: System, servers: Given['servers']): Promise<void> {
  const served = await client.allServers('local');
  const byKey = new Map(servers.map((server) => [`${server.name}@${server.version}`, server]));
  expect(served).toHaveLength(servers.length);
  const names = Map.groupBy(served, ({ server }) => server.name);
  for (const row of served) {
    expect(row.server).toEqual(byKey.get(`${row.server.name}@${row.server.version}`));
    expect(withoutOurs(row)).toEqual({
      server: row.server,
      _meta: {
        [OFFICIAL_META]: {
          status: 'active',
          publishedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
          isLatest: expect.any(Boolean),
        },
      },
    });
    expect(ourMeta(row)).toMatchObject({ source: 'local', stale: false });
    expect(ourMeta(row)).not.toHaveProperty('upstreamUpdatedAt');
  }
  for (const versions of names.values()) {
    expect(versions.filter(({ _meta }) => _meta[OFFICIAL_META].isLatest)).toHaveLength(1);
  }
}
