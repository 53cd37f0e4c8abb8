import { type ConfigInput, redisKeys } from '@syncline/contract';
import { startMonitor } from '@syncline/redis/testing';
import { OFFICIAL_META } from '@syncline/rows';
import { expect, onTestFinished, test } from 'vitest';
import { connect, keysOf } from '../support/redis.ts';
import { writeRegistryFile } from '../support/registry-file.ts';
import { generateRows } from '../support/rows/generate.ts';
import { withoutOurs } from '../support/rows/ours.ts';
import { type OfficialRow, rowKey } from '../support/rows/row.ts';
import { type System, startSystem } from '../support/system.ts';
import { until } from '../support/until.ts';
import { untilComplete, untilRegistry, untilRun } from '../support/until-registry.ts';

const ROWS = generateRows({ count: 800, seed: 21 });

/** Rows that are the only version of their name: a change of one changes no other's `isLatest`. */
const SINGLE = [...Map.groupBy(ROWS, ({ server }) => server.name).values()].flatMap((versions) =>
  versions.length === 1 ? versions : [],
);

test('the next tick publishes exactly the change of the source', async () => {
  const [changed, removed, renamed] = [SINGLE[10], SINGLE[20], SINGLE[30]];
  if (!changed || !removed || !renamed) throw new Error('expected names of one version');
  const source = await writeRegistryFile(ROWS);
  const system = await startSystem({ config: fileRegistry(source.path) });
  const { client } = system;
  await untilComplete(client, 'source');
  const before = await client.allServers('source');
  const chunksBefore = await chunksOf(system);

  const changedRow = { ...changed, server: { ...changed.server, description: 'Another one' } };
  const added = { ...renamed, server: { ...renamed.server, name: 'com.example.added/server' } };
  const rows = ROWS.map((row) => (row === changed ? changedRow : row)).filter(
    (row) => row !== removed,
  );
  await source.replace([...rows, added]);

  const run = await untilRun(client, 'source', ({ diff }) => diff?.added === 1);
  expect(run).toMatchObject({
    trigger: 'schedule',
    reason: 'source-data-changed',
    outcome: 'published',
    rowCount: ROWS.length,
    diff: {
      added: 1,
      updated: 1,
      removed: 1,
      samples: { added: [rowKey(added)], updated: [rowKey(changed)], removed: [rowKey(removed)] },
    },
  });
  const after = await client.allServers('source');
  expect(byKey(after.map(withoutOurs))).toEqual(byKey([...rows, added].map(withoutOurs)));
  expect(updatedBetween(before, after)).toEqual([rowKey(added), rowKey(changed)].sort());

  const chunksAfter = await chunksOf(system);
  const written = chunksAfter.filter((digest) => !chunksBefore.includes(digest));
  expect(chunksBefore.length).toBeGreaterThan(6);
  // Each of the three may be in its own chunk, and a boundary may have moved.
  expect(written.length).toBeGreaterThan(0);
  expect(written.length).toBeLessThanOrEqual(4);
});

test('ticks of an unchanged source write no rows and no runs', async () => {
  const source = await writeRegistryFile(ROWS);
  const system = await startSystem({ config: fileRegistry(source.path) });
  await untilComplete(system.client, 'source');
  const before = await dataOf(system);
  const monitored = await startMonitor(system.redisUrl);
  onTestFinished(() => monitored.disconnect());
  const writes: string[] = [];
  let statusWrites = 0;
  monitored.on('monitor', (_time: string, [command = '', key = '']: string[]) => {
    if (!key.startsWith(`${system.prefix}:{source}:`)) return;
    if (key.endsWith(':status')) statusWrites += 1;
    else if (!/^(h?get|hmget|hgetall|hexists|xrevrange)$/i.test(command))
      writes.push(`${command} ${key}`);
  });

  const terms = new Set<string>();
  await untilRegistry(
    system.client,
    'source',
    ({ status }) => terms.add(status.term ?? '').size > 4,
    { what: 'four more ticks' },
  );
  monitored.disconnect();
  const { status } = await untilComplete(system.client, 'source');
  expect(status).toMatchObject({ reason: 'up-to-date-with-policy' });
  expect(Date.parse(status.lastSuccessAt ?? '')).toBeGreaterThan(
    Date.parse(status.lastChangeAt ?? ''),
  );
  expect(writes).toEqual([]);
  expect(statusWrites).toBeGreaterThan(4);
  expect(await dataOf(system)).toEqual(before);
});

test('a change of the config file takes effect without a restart', async () => {
  const source = await writeRegistryFile(ROWS);
  const config = fileRegistry(source.path, { interval: '1h' });
  const system = await startSystem({ config, workers: 1 });
  const { client } = system;
  await untilComplete(client, 'source');

  const isKept = ({ server }: OfficialRow) => !server.name.startsWith('io.github.');
  const kept = ROWS.filter(isKept);
  expect(kept.length).toBeGreaterThan(0);
  expect(kept.length).toBeLessThan(ROWS.length);
  const filtered = fileRegistry(source.path, { interval: '1h', exclude: ['io.github.*'] });
  await system.config.replace(filtered);
  const run = await untilRun(client, 'source', ({ reason }) => reason === 'filter-changed');
  expect(run).toMatchObject({
    trigger: 'config',
    outcome: 'published',
    rowCount: kept.length,
    diff: { added: 0, updated: 0, removed: ROWS.length - kept.length },
  });
  const served = await client.allServers('source');
  expect(byKey(served.map(withoutOurs))).toEqual(byKey(kept.map(withoutOurs)));

  const both = [...filtered.registries, { name: 'second', file: { path: source.path } }];
  await system.config.replace({ registries: both });
  await until(async () => (await client.get('/v1/registries/second')).status === 200, {
    what: 'the second registry',
  });
  expect((await untilComplete(client, 'second')).status.versionCount).toBe(ROWS.length);

  const [scheduler] = system.schedulers;
  await system.config.replaceText('registries: [');
  await scheduler?.waitForLog(({ msg }) => /config file rejected/.test(msg));
  expect((await client.get('/v1/registries/second')).status).toBe(200);

  await system.config.replace(filtered);
  await until(async () => (await client.get('/v1/registries/second')).status === 404, {
    what: 'the second registry to be gone',
  });
  expect((await client.get('/registry/second/v0.1/servers')).status).toBe(404);
  await until(async () => (await schedulersOf(system)).join() === 'source', {
    what: 'the schedule of the second registry to be gone',
  });
});

function fileRegistry(
  path: string,
  { interval = '1s', exclude = [] }: { interval?: string; exclude?: string[] } = {},
): ConfigInput {
  return {
    registries: [
      {
        name: 'source',
        file: { path },
        syncPolicy: { interval },
        filter: { names: { exclude } },
      },
    ],
  };
}

function byKey(rows: readonly object[]): unknown[] {
  return rows.map((row) => JSON.stringify(row)).sort();
}

/** Returns the rows of `after` that are not in `before` with the same `updatedAt`. */
function updatedBetween(before: readonly OfficialRow[], after: readonly OfficialRow[]): string[] {
  const stampOf = (row: OfficialRow) => `${rowKey(row)} ${row._meta[OFFICIAL_META].updatedAt}`;
  const known = new Set(before.map(stampOf));
  return after
    .filter((row) => !known.has(stampOf(row)))
    .map(rowKey)
    .sort();
}

function chunksOf({ redisUrl, prefix }: System): Promise<string[]> {
  return connect(redisUrl).hkeys(redisKeys(prefix).snapshotChunks('source'));
}

/** Everything that is stored of the registry, except its status. */
async function dataOf(system: System): Promise<Map<string, string>> {
  const client = connect(system.redisUrl);
  const stored = new Map<string, string>();
  for (const key of await keysOf(client, `${system.prefix}:{source}`)) {
    if (key.endsWith(':status')) continue;
    stored.set(key, (await client.dumpBuffer(key))?.toString('hex') ?? '');
  }
  expect([...stored.keys()].length).toBeGreaterThanOrEqual(4);
  return stored;
}

async function schedulersOf({ redisUrl, prefix }: System): Promise<string[]> {
  const { queuePrefix } = redisKeys(prefix);
  return connect(redisUrl).zrange(`${queuePrefix}:registry-sync:repeat`, '0', '-1');
}
