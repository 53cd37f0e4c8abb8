/** Invalid bodies of a source, through a whole run: the status names the problem, and nothing is lost. */
import { gzipSync } from 'node:zlib';
import { SYNCLINE_META } from '@syncline/rows';
import { describe, expect, onTestFinished, test } from 'vitest';
import { IngestPool } from '../ingest/ingest-pool.ts';
import {
  configOf,
  createSyncHarness,
  type FakeBody,
  ran,
  request,
  server,
  servers,
  suiteIngestPool,
} from '../testing/sync-harness.ts';
import { testBudget } from '../testing/test-budget.ts';

const ingest = suiteIngestPool();
const NAMES = ['server-000', 'server-001', 'server-002'];

/** A synced registry whose source then gives the bodies of the test. */
async function synced() {
  const sync = createSyncHarness({ ingest });
  await sync.sync();
  return {
    ...sync,
    async give(...bodies: readonly FakeBody[]) {
      sync.upstream.bodies = bodies;
      sync.upstream.revision = 'bad';
      return ran(await sync.sync(request()));
    },
    /** Expects that the snapshot from before is still served, and that the next run succeeds. */
    async expectUnharmed() {
      expect(await sync.served()).toEqual(NAMES);
      delete sync.upstream.bodies;
      sync.upstream.rows = servers(4);
      sync.upstream.revision = 'good again';
      expect(ran(await sync.sync(request()))).toMatchObject({ outcome: 'published' });
      expect(sync.status()).toMatchObject({ phase: 'Complete', consecutiveFailures: 0 });
      expect(sync.status()?.errorCode).toBeUndefined();
      expect(await sync.served()).toHaveLength(4);
    },
  };
}

const whole = JSON.stringify({ servers: servers(3) });

test('a row that repeats a credential of the run is skipped, and the others are served', async () => {
  const sync = createSyncHarness({ ingest });
  const secret = 'planted-secret-1f7c';
  sync.upstream.rows = [...servers(3), { ...server('server-003'), description: `got ${secret}` }];
  sync.upstream.beforeFetch = ({ credentials }) => void credentials.add(secret);
  expect(ran(await sync.sync())).toMatchObject({
    outcome: 'published',
    rowCount: 3,
    quarantined: { count: 1, samples: [{ reason: expect.stringContaining('credential') }] },
  });
  expect(await sync.served()).toEqual(NAMES);
});

describe('a body that is not a registry fails its run', () => {
  test.each<[what: string, body: string | Uint8Array, code: string, message: RegExp]>([
    ['empty', '', 'source-not-json', /an empty body/],
    ['an HTML page', '<!doctype html><p>Sign in', 'source-not-json', /an HTML page/],
    ['cut off', whole.slice(0, -20), 'source-not-json', /invalid or truncated JSON/],
    ['Latin-1', Buffer.from('[{"name":"caf\u00e9"}]', 'latin1'), 'source-not-json', /Latin-1/],
    ['UTF-16', Buffer.from(`\ufeff${whole}`, 'utf16le'), 'source-not-json', /UTF-16/],
    ['gzip without a Content-Encoding', gzipSync(whole), 'source-not-json', /gzip data/],
    ['NUL bytes', '\0\0\0\0', 'source-not-json', /not JSON/],
    ['NUL in a string', '[{"name":"a\0"}]', 'source-not-json', /invalid or truncated JSON/],
    [
      'an error object in JSON',
      '{"error":"gone"}',
      'source-not-a-registry',
      /an object with `error`/,
    ],
    ['null', 'null', 'source-not-a-registry', /`null`/],
    ['nested 10,000 deep', '['.repeat(10_000), 'source-too-deep', /too many nested levels/],
    [
      'nested 1,000,000 deep',
      `${'[{"a":'.repeat(500_000)}`,
      'source-too-deep',
      /too many nested levels/,
    ],
    [
      'an object with __proto__ alone',
      '{"__proto__":{"servers":[]}}',
      'source-not-a-registry',
      /__proto__/,
    ],
  ])('%s', async (_what, body, code, message) => {
    const sync = await synced();
    expect(await sync.give({ body })).toMatchObject({
      outcome: 'failed',
      error: { code, message: expect.stringMatching(message) },
    });
    expect(sync.status()).toMatchObject({ phase: 'Failed', errorCode: code, serverCount: 3 });
    await sync.expectUnharmed();
  });

  test('one of several, which is named, and none is published', async () => {
    const sync = await synced();
    const run = await sync.give(
      { body: JSON.stringify([server('one')]), origin: { name: 'servers/one.json' } },
      { body: 'name: [', origin: { name: 'servers/two.yaml', syntax: 'yaml' } },
    );
    expect(run).toMatchObject({
      outcome: 'failed',
      error: { code: 'source-not-json', message: expect.stringMatching(/^servers\/two\.yaml: /) },
    });
    await sync.expectUnharmed();
  });

  test('YAML whose aliases expand too far', async () => {
    const sync = await synced();
    const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]'];
    for (let at = 1; at < 8; at += 1) {
      lines.push(
        `a${at}: &a${at} [${Array(10)
          .fill(`*a${at - 1}`)
          .join(', ')}]`,
      );
    }
    const body = lines.join('\n');
    expect(await sync.give({ body, origin: { name: 'x.yaml', syntax: 'yaml' } })).toMatchObject({
      outcome: 'failed',
      error: { code: 'source-not-json', message: expect.stringMatching(/alias/i) },
    });
    await sync.expectUnharmed();
  });
});

test('an empty list is held', async () => {
  const sync = await synced();
  expect(await sync.give({ body: '{"servers":[]}' })).toMatchObject({ outcome: 'held' });
  expect(sync.status()?.held).toMatchObject({ reason: 'empty', rowCountBefore: 3 });
  await sync.expectUnharmed();
});

describe('only the invalid row is skipped', () => {
  const deep = `{"name":"deep","version":"1","description":"x","d":${'['.repeat(300)}${']'.repeat(300)}}`;
  test.each<[what: string, row: string, label: RegExp, reason: RegExp]>([
    ['without a name', '{"version":"1","description":"x"}', /^row 4$/, /server\.name is missing/],
    [
      'in conflict with an earlier row',
      JSON.stringify(server('server-000', { description: 'other' })),
      /^server-000@/,
      /kept/,
    ],
    [
      'of 10 MB',
      JSON.stringify(server('big', { x: 'x'.repeat(10_000_000) })),
      /^row 4$/,
      /limit is/,
    ],
    ['that nests too deep', deep, /^deep@1$/, /more than 200 nested levels/],
    [
      'with a number too large',
      '{"name":"n","version":"1","description":"x","n":1e999}',
      /^n@1$/,
      /number/,
    ],
    [
      'with a name that is not valid Unicode',
      JSON.stringify(server('a\ud800')),
      /^a\ufffd@/,
      /invalid Unicode/,
    ],
    [
      'with a version that is not valid Unicode',
      JSON.stringify(server('a', { version: '\udc00' })),
      /^a@/,
      /invalid Unicode/,
    ],
    ['with NUL in its name', JSON.stringify(server('a\0b')), /^a\0b@/, /control characters/],
    ['that is a string', '"server"', /^row 4$/, /does not describe a server/],
  ])('%s', async (_what, row, label, reason) => {
    const sync = await synced();
    const rows = [...servers(3).map((it) => JSON.stringify(it)), row];
    expect(await sync.give({ body: `[${rows.join()}]` })).toMatchObject({
      quarantined: {
        count: 1,
        samples: [{ row: expect.stringMatching(label), reason: expect.stringMatching(reason) }],
      },
    });
    expect(sync.status()).toMatchObject({ phase: 'Complete', quarantinedCount: 1 });
    await sync.expectUnharmed();
  });
});

test('a row with unusual but harmless content is kept unchanged', async () => {
  const sync = createSyncHarness({ ingest });
  const text = `\ufeff[{"name":"odd","version":"1","description":"\\ud800 \\u0000","__proto__":{"name":"no","x":1},"constructor":{"prototype":{"y":1}},"n":-0,"large":12345678901,"_meta":{"__proto__":{"z":1},"toString":7}}]`;
  sync.upstream.bodies = [{ body: text }];
  expect(ran(await sync.sync())).toMatchObject({ outcome: 'published', rowCount: 1 });
  const snapshot = await sync.open();
  const row = await snapshot?.row({ name: 'odd', version: '1' });
  expect(JSON.stringify(row?.server)).toBe(text.slice(2, -1).replace('"n":-0', '"n":0'));
  expect(row?._meta[SYNCLINE_META]).toEqual({ source: 'alpha' });
  expect(Object.keys(Object.prototype)).toEqual([]);
  expect(({} as Record<string, unknown>)['x']).toBeUndefined();
  // The second run reads the same row.
  sync.upstream.revision = 'r2';
  expect(ran(await sync.sync())).toMatchObject({ outcome: 'unchanged' });
});

test('a folder of JSON and YAML files is read as one registry', async () => {
  const sync = createSyncHarness({ ingest });
  const yaml = (text: string, name: string): FakeBody => ({
    body: text,
    origin: { name, syntax: 'yaml' },
  });
  sync.upstream.bodies = [
    yaml('name: b\nversion: "1"\ndescription: in YAML\n', 'b.yaml'),
    { body: JSON.stringify(server('a')), origin: { name: 'a.json', syntax: 'json' } },
    yaml('name: c\nversion: 1.0\ndescription: no text\n', 'c.yml'),
  ];
  expect(ran(await sync.sync())).toMatchObject({
    outcome: 'published',
    quarantined: { count: 1, samples: [{ row: 'c.yml: row 1' }] },
  });
  expect(await sync.served()).toEqual(['a', 'b']);
});

test('a body that takes too long to parse fails its run, and other runs continue', async () => {
  const sync = createSyncHarness({
    ingest,
    config: configOf({ name: 'alpha', syncPolicy: { timeout: '1s' } }, { name: 'beta' }),
  });
  await sync.sync({
    registry: 'alpha',
    trigger: 'schedule',
    force: false,
    purpose: { kind: 'tick' },
  });
  // Each key is compared with all others: this takes several seconds, unless it is aborted.
  const keys = Array.from({ length: 60_000 }, (_, index) => `k${index}: 1`).join('\n');
  sync.upstream.bodies = [{ body: keys, origin: { name: 'slow.yaml', syntax: 'yaml' } }];
  sync.upstream.revision = 'slow';
  expect(ran(await sync.sync(request()))).toMatchObject({
    outcome: 'failed',
    error: { code: 'run-timeout' },
  });
  expect(await sync.served()).toEqual(NAMES);
  delete sync.upstream.bodies;
  sync.config.replace(configOf({ name: 'alpha' }, { name: 'beta' }));
  const tick = { trigger: 'schedule', force: false, purpose: { kind: 'tick' } } as const;
  expect(ran(await sync.sync({ ...tick, registry: 'beta' }))).toMatchObject({
    outcome: 'published',
  });
  sync.upstream.revision = 'r3';
  expect(ran(await sync.sync(request({ force: true })))).toMatchObject({ outcome: 'unchanged' });
});

test('a registry that needs too much memory fails its run, and other runs continue', async () => {
  const small = new IngestPool({ heavyRuns: 2, memory: testBudget(), threadHeapMb: 24 });
  onTestFinished(() => small.close());
  const config = configOf({ name: 'alpha' }, { name: 'beta' });
  const sync = createSyncHarness({ ingest: small, config });
  expect(ran(await sync.sync())).toMatchObject({ outcome: 'published' });
  const rows = Array.from({ length: 200_000 }, (_, index) => server(`s-${index}`));
  sync.upstream.bodies = [{ body: JSON.stringify({ servers: rows }) }];
  sync.upstream.revision = 'large';
  expect(ran(await sync.sync())).toMatchObject({
    outcome: 'failed',
    error: { code: 'run-out-of-memory' },
  });
  expect(await sync.served()).toEqual(NAMES);
  delete sync.upstream.bodies;
  const tick = { trigger: 'schedule', force: false, purpose: { kind: 'tick' } } as const;
  expect(ran(await sync.sync({ ...tick, registry: 'beta' }))).toMatchObject({
    outcome: 'published',
  });
});
