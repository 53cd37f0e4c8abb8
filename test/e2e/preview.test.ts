import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { type ConfigInput, type Preview, previewSchema } from '@syncline/contract';
import { expect, onTestFinished, test } from 'vitest';
import { replaceFile, writeConfig } from '../support/config.ts';
import { startProcess } from '../support/processes.ts';
import { connect, keysOf } from '../support/redis.ts';
import { writeRegistryFile } from '../support/registry-file.ts';
import { generateRows } from '../support/rows/generate.ts';
import { loadOfficialBase, loadTruncatedScrape, NO_REAL_DATA } from '../support/rows/real-data.ts';
import { rowKey } from '../support/rows/row.ts';
import { PROGRAMS, type System, startSystem } from '../support/system.ts';
import { untilComplete } from '../support/until-registry.ts';

const ROWS = generateRows({ count: 300, seed: 33 });
/** Rows that are the only version of their name: a change of one changes no other's `isLatest`. */
const SINGLE = [...Map.groupBy(ROWS, ({ server }) => server.name).values()].flatMap((versions) =>
  versions.length === 1 ? versions : [],
);

/** Only a request starts a preview: the next tick is far away. */
function fileRegistry(file: string, settings: object = {}): ConfigInput {
  const syncPolicy = { interval: '12h' };
  return { registries: [{ name: 'source', file: { path: file }, syncPolicy, ...settings }] };
}

async function previewOf({ client }: System, name: string, body: object = {}): Promise<Preview> {
  const answer = await client.post(`/v1/registries/${name}/preview`, { wait: 600, ...body });
  expect(answer).toMatchObject({ status: 200 });
  return previewSchema.parse(answer.body);
}

/** Everything in Redis except the queues' own keys. */
async function dataOf({ redisUrl, prefix }: System): Promise<Map<string, string>> {
  const redis = connect(redisUrl);
  const stored = new Map<string, string>();
  for (const key of (await keysOf(redis, `${prefix}:`)).toSorted()) {
    // The sweep moves between workers at any time.
    if (!key.startsWith(`${prefix}:`) || key === `${prefix}:sweep`) continue;
    // The order of a hash's fields, and so its dump, changes by itself.
    const isHash = (await redis.type(key)) === 'hash';
    const content = isHash
      ? JSON.stringify(Object.entries(await redis.hgetall(key)).sort())
      : (await redis.dumpBuffer(key))?.toString('hex');
    stored.set(key, content ?? '');
  }
  return stored;
}

async function diff({ redisUrl, prefix }: System, args: readonly string[]) {
  const started = await startProcess({
    name: 'syncline diff',
    entry: PROGRAMS.cli,
    args: ['diff', ...args],
    env: { REDIS_URL: redisUrl, SYNCLINE_PREFIX: prefix },
  });
  const { code } = await started.exited;
  return { code, lines: started.output.lines };
}

test('a preview shows what the next sync publishes, and publishes nothing', async () => {
  const [changed, removed, renamed] = [SINGLE[10], SINGLE[20], SINGLE[30]];
  if (!changed || !removed || !renamed) throw new Error('expected names of one version');
  const source = await writeRegistryFile(ROWS);
  const system = await startSystem({ config: fileRegistry(source.path), workers: 1 });
  await untilComplete(system.client, 'source');
  const added = { ...renamed, server: { ...renamed.server, name: 'com.example.added/server' } };
  const bad = { ...renamed, server: { ...renamed.server, name: 'com.example.bad/x', version: '' } };
  const edited = { ...changed, server: { ...changed.server, description: 'Another one' } };
  const rows = ROWS.map((row) => (row === changed ? edited : row)).filter((row) => row !== removed);
  await source.replace([...rows, added, bad]);
  const before = await dataOf(system);
  expect(before.size).toBeGreaterThan(4);

  const preview = await previewOf(system, 'source');
  expect(preview).toMatchObject({
    state: 'would-publish',
    rowCount: ROWS.length,
    rowCountBefore: ROWS.length,
    diff: {
      added: 1,
      updated: 1,
      removed: 1,
      samples: { added: [rowKey(added)], updated: [rowKey(changed)], removed: [rowKey(removed)] },
    },
    changes: [{ row: rowKey(changed), fields: ['server.description'] }],
    quarantined: {
      count: 1,
      samples: [{ row: 'com.example.bad/x@', reason: 'server.version is empty' }],
    },
  });

  const shown = await diff(system, ['source']);
  expect(shown.code).toBe(0);
  expect(shown.lines.slice(0, 7)).toEqual([
    `+ ${rowKey(added)}`,
    `~ ${rowKey(changed)} (description)`,
    `- ${rowKey(removed)}`,
    '! com.example.bad/x@: server.version is empty',
    '',
    'source: a sync would publish this state: +1 ~1 -1',
    `  rows     ${ROWS.length} instead of ${ROWS.length}`,
  ]);
  const asJson = await diff(system, ['source', '--json', '--exit-code', '--samples', '1']);
  expect(asJson.code).toBe(3);
  expect(previewSchema.parse(JSON.parse(asJson.lines.join('\n'))).diff).toEqual(preview.diff);
  expect(await dataOf(system)).toEqual(before);

  const run = await system.client.sync('source');
  expect(run).toMatchObject({ outcome: 'published', diff: preview.diff });
  expect(await diff(system, ['source', '--exit-code'])).toMatchObject({
    code: 0,
    lines: expect.arrayContaining(['source: a sync would change nothing']),
  });
});

test('a preview works for a registry that is not in the config, and for settings that are not in force', async () => {
  const source = await writeRegistryFile(ROWS);
  const config = fileRegistry(source.path);
  const system = await startSystem({ config, workers: 1 });
  await untilComplete(system.client, 'source');
  const file = { path: source.path };

  expect(await previewOf(system, 'newcomer', { config: { file } })).toMatchObject({
    registry: 'newcomer',
    state: 'would-publish',
    rowCountBefore: 0,
    diff: { added: ROWS.length, updated: 0, removed: 0 },
  });
  const filter = { names: { exclude: ['io.github.*'] } };
  const dropped = ROWS.filter(({ server }) => server.name.startsWith('io.github.')).length;
  expect(dropped).toBeGreaterThan(0);
  expect(await previewOf(system, 'source', { config: { file, filter } })).toMatchObject({
    state: 'would-publish',
    diff: { added: 0, updated: 0, removed: dropped },
  });

  const other = await writeConfig({
    registries: [{ name: 'beside', file: { path: './beside.json' } }],
  });
  await replaceFile(path.join(other.directory, 'beside.json'), JSON.stringify({ servers: ROWS }));
  const shown = await diff(system, ['beside', '--file', other.path, '--samples', '2']);
  expect(shown).toMatchObject({ code: 0 });
  expect(shown.lines).toContain(`  … ${ROWS.length - 2} more added`);
  expect(await diff(system, ['nobody', '--file', other.path])).toEqual({
    code: 1,
    lines: [expect.stringContaining('has no registry nobody. Use one of beside')],
  });

  const missing = { file: { path: `${source.path}.missing` } };
  expect(
    await system.client.post('/v1/registries/source/preview', { config: missing }),
  ).toMatchObject({
    status: 400,
    body: { code: 'bad-request', detail: expect.stringContaining('config.file.path: use a path') },
  });
  await rm(source.path);
  expect(await system.client.post('/v1/registries/source/preview', {})).toMatchObject({
    status: 502,
    body: {
      code: 'preview-failed',
      detail: expect.stringMatching(/source-file-missing: the file .+ does not exist/),
    },
  });
  expect((await system.client.get('/v1/registries/newcomer')).status).toBe(404);
});

test('a preview shows that a real truncated scrape would be held, and the next sync holds it', async (ctx) => {
  const [whole, truncated] = [loadOfficialBase(), loadTruncatedScrape()];
  if (whole === undefined || truncated === undefined) return ctx.skip(NO_REAL_DATA);
  const source = await writeRegistryFile(whole);
  const system = await startSystem({ config: fileRegistry(source.path), workers: 1 });
  const { status } = await untilComplete(system.client, 'source');
  await source.replace(truncated);

  const preview = await previewOf(system, 'source');
  expect(preview).toMatchObject({
    state: 'would-hold',
    guard: {
      verdict: 'shrink',
      countBefore: status.versionCount,
      countAfter: truncated.length,
      maxShrinkPercent: 20,
    },
  });
  expect(preview.guard.lostPercent).toBeGreaterThan(80);
  expect(preview.diff.samples.removed).toHaveLength(200);
  expect((await diff(system, ['source'])).lines).toContain(
    `source: the guard would hold this state: ${formatted(preview)}`,
  );
  expect(await system.client.sync('source')).toMatchObject({ outcome: 'held' });
});

function formatted({ diff: { added, updated, removed } }: Preview): string {
  return [added && `+${added}`, updated && `~${updated}`, removed && `-${removed}`]
    .filter(Boolean)
    .join(' ');
}

test('a worker that stops ends its preview with an error', async () => {
  const source = await writeRegistryFile(ROWS);
  const config = { ...fileRegistry(source.path), network: { allow: ['127.0.0.1/32'] } };
  const system = await startSystem({ config, workers: 1 });
  await untilComplete(system.client, 'source');
  const silent = createServer(() => {}).listen(0, '127.0.0.1');
  onTestFinished(() => {
    silent.closeAllConnections();
    silent.close();
  });
  await once(silent, 'listening');
  // A server that listens on TCP has an address of this kind.
  const { port } = silent.address() as AddressInfo;
  const api = { endpoint: `http://127.0.0.1:${port}`, timeout: '5m' };
  const asked = once(silent, 'request');
  const answered = system.client.post('/v1/registries/slow/preview', { config: { api } });
  await asked;
  const [worker] = system.workers;
  expect(await worker?.stop()).toMatchObject({ code: 0 });
  expect(await answered).toMatchObject({
    status: 502,
    body: { code: 'preview-failed', detail: expect.stringContaining('the worker is stopping') },
  });
});
