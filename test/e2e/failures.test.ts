import { expect, test } from 'vitest';
import { freePort } from '../support/ports.ts';
import { generateRows } from '../support/rows/generate.ts';
import { startSystem } from '../support/system.ts';
import { untilComplete, untilRegistry, untilRun } from '../support/until-registry.ts';
import type { UpstreamRow } from '../support/upstream/corpus.ts';
import { startUpstream } from '../support/upstream.ts';

const ROWS = generateRows({ count: 130, seed: 71 });

test('an unreachable registry is Failed, with the reason and the time of the next try', async () => {
  const port = await freePort();
  const config = {
    registries: [
      {
        name: 'official',
        api: { endpoint: `http://127.0.0.1:${port}` },
        syncPolicy: { interval: '1h' },
      },
    ],
  };
  const { client } = await startSystem({ config, workers: 1 });
  const { status, snapshot } = await untilRegistry(
    client,
    'official',
    (registry) => registry.status.phase === 'Failed',
  );
  expect(status).toMatchObject({
    reason: 'registry-not-ready',
    errorCode: 'source-unreachable',
    message: expect.stringMatching(
      `^cannot reach http://127.0.0.1:${port}/v0.1/servers: .*ECONNREFUSED`,
    ),
    consecutiveFailures: 1,
    versionCount: 0,
  });
  expect(snapshot).toBeNull();
  const failedAt = Date.parse(status.lastAttemptAt ?? '');
  expect(Date.parse(status.nextDueAt ?? '')).toBeGreaterThan(failedAt + 3_000);
  const run = (await client.runs('official')).at(-1);
  expect(run).toMatchObject({
    trigger: 'startup',
    outcome: 'failed',
    error: { code: 'source-unreachable', nextTryAt: status.nextDueAt },
  });
  // Not an empty list: another Syncline would read it as a registry that has lost everything.
  const listed = await client.get('/registry/official/v0.1/servers');
  expect(listed).toMatchObject({ status: 503, body: { code: 'catalog-not-ready' } });
  expect(listed.headers.get('retry-after')).toMatch(/^\d+$/);

  // It recovers within the first backoff, without help.
  await startUpstream({ rows: ROWS, port });
  const recovered = await untilComplete(client, 'official');
  expect(recovered.status).toMatchObject({ consecutiveFailures: 0, versionCount: ROWS.length });
  expect(recovered.status.errorCode).toBeUndefined();
  const [last] = await client.runs('official');
  expect(last).toMatchObject({ trigger: 'retry', outcome: 'published' });
  expect(Date.parse(last?.startedAt ?? '')).toBeGreaterThanOrEqual(
    Date.parse(run?.error?.nextTryAt ?? ''),
  );
});

test('an invalid row is reported with its reason, and the others are served', async () => {
  const bad: UpstreamRow[] = [
    { server: { name: 'com.example/nameless', version: '', description: 'No version' } },
    { server: { name: 'com.example/undescribed', version: '1.0.0' } },
  ];
  const upstream = await startUpstream({ rows: [...ROWS, ...bad] });
  const config = { registries: [{ name: 'mixed', api: { endpoint: upstream.url } }] };
  const { client } = await startSystem({ config, workers: 1 });
  const { status } = await untilComplete(client, 'mixed');
  expect(status).toMatchObject({ quarantinedCount: 2, versionCount: ROWS.length });
  const [run] = await client.runs('mixed');
  expect(run).toMatchObject({
    outcome: 'published',
    rowCount: ROWS.length,
    quarantined: {
      count: 2,
      samples: [
        { row: 'com.example/nameless@', reason: 'server.version is empty' },
        {
          row: 'com.example/undescribed@1.0.0',
          reason: 'server.description is missing or is not a string',
        },
      ],
    },
  });
  expect(await client.allServers('mixed')).toHaveLength(ROWS.length);
});

test('an HTML page instead of a registry fails the sync, and the last good snapshot is still served', async () => {
  const upstream = await startUpstream({ rows: ROWS });
  const config = {
    registries: [
      { name: 'walled', api: { endpoint: upstream.url }, syncPolicy: { interval: '12h' } },
    ],
  };
  const { client } = await startSystem({ config, workers: 1 });
  const before = await untilComplete(client, 'walled');
  const served = await client.allServers('walled');
  upstream.behave({ kind: 'html' }, { times: Number.POSITIVE_INFINITY });

  const run = await client.sync('walled');
  expect(run).toMatchObject({ outcome: 'failed', error: { code: 'source-not-json' } });
  expect(run.error?.message).toMatch(/HTML/i);
  const after = await client.registry('walled');
  expect(after.status).toMatchObject({
    phase: 'Failed',
    errorCode: 'source-not-json',
    message: run.error?.message,
    lastSuccessAt: before.status.lastSuccessAt,
    versionCount: ROWS.length,
  });
  expect(after.snapshot).toBe(before.snapshot);
  expect(await client.allServers('walled')).toEqual(served);
});

test('an upstream that sends Retry-After gets no request until then', async () => {
  const upstream = await startUpstream({ rows: ROWS });
  const retryAfterMs = 60_000;
  upstream.behave(
    { kind: 'status', status: 429, headers: { 'retry-after': String(retryAfterMs / 1_000) } },
    { times: Number.POSITIVE_INFINITY },
  );
  const config = {
    registries: [
      { name: 'limited', api: { endpoint: upstream.url }, syncPolicy: { interval: '1s' } },
    ],
  };
  const { client } = await startSystem({ config, workers: 1 });
  const run = await untilRun(client, 'limited', ({ outcome }) => outcome === 'failed');
  expect(run).toMatchObject({ error: { code: 'source-rate-limited' } });
  // Counted from its answer, which is between the start and the end of the run. All three are by the clock of Redis.
  const nextTryAtMs = Date.parse(run.error?.nextTryAt ?? '');
  expect(nextTryAtMs - Date.parse(run.startedAt)).toBeGreaterThanOrEqual(retryAfterMs);
  expect(nextTryAtMs - Date.parse(run.finishedAt)).toBeLessThan(retryAfterMs + 5_000);

  // Its schedule ticks each second, and no tick sends a request.
  const terms = new Set<string>();
  const { status } = await untilRegistry(
    client,
    'limited',
    (it) => {
      terms.add(it.status.term ?? '');
      return terms.size > 3 && it.status.phase !== 'Syncing';
    },
    { what: 'three more ticks to be finished' },
  );
  expect(status).toMatchObject({
    phase: 'Failed',
    errorCode: 'source-rate-limited',
    nextDueAt: run.error?.nextTryAt,
    consecutiveFailures: 1,
  });
  expect(upstream.requests).toHaveLength(1);
});

test('a run waits for a short Retry-After', async () => {
  const upstream = await startUpstream({ rows: ROWS });
  upstream.behave({ kind: 'status', status: 429, headers: { 'retry-after': '2' } });
  const config = { registries: [{ name: 'limited', api: { endpoint: upstream.url } }] };
  const { client } = await startSystem({ config, workers: 1 });
  await untilComplete(client, 'limited');
  const [first, second] = upstream.requests;
  expect((second?.arrivedAtMs ?? 0) - (first?.arrivedAtMs ?? 0)).toBeGreaterThanOrEqual(1_900);
  expect(await client.runs('limited')).toMatchObject([{ outcome: 'published' }]);
});
