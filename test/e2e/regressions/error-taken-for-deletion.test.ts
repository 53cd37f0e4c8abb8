/**
 * Seen in: Sourcebot, issue 1039, and cnpmcore, issue 739.
 * Failure: a 500 of GitLab removed repositories, and a temporary 404 removed packages: "not found" was read as
 * "deleted".
 * Syncline: only an upstream that answers well, to its last page, can remove rows, and not too many at once.
 */
import { expect, test } from 'vitest';
import type { ApiClient } from '../../support/api-client.ts';
import { generateRows } from '../../support/rows/generate.ts';
import { rowKey } from '../../support/rows/row.ts';
import { startSystem } from '../../support/system.ts';
import { untilComplete } from '../../support/until-registry.ts';
import type { Behaviour } from '../../support/upstream/behaviour.ts';
import type { RecordedRequest } from '../../support/upstream/recorded-request.ts';
import { startUpstream } from '../../support/upstream.ts';

/** Three pages of the upstream. */
const ROWS = generateRows({ count: 250, seed: 739 });

const isFirstPage = ({ query }: RecordedRequest) => !query.has('cursor');
const isLaterPage = ({ query }: RecordedRequest) => query.has('cursor');

interface Fault {
  readonly name: string;
  readonly behaviour: Behaviour;
  readonly code: string;
}

const status = (code: number, body = 'x'): Behaviour => ({ kind: 'status', status: code, body });
const FAULTS: readonly Fault[] = [
  { name: 'a 404', behaviour: status(404), code: 'source-http-status' },
  { name: 'a 410', behaviour: status(410), code: 'source-http-status' },
  { name: 'a 403', behaviour: status(403), code: 'source-http-status' },
  { name: 'a 500', behaviour: status(500), code: 'source-http-status' },
  {
    name: 'a 500 whose body is an empty registry',
    behaviour: status(500, '{"servers":[],"metadata":{"count":0}}'),
    code: 'source-http-status',
  },
  { name: 'an HTML page', behaviour: { kind: 'html' }, code: 'source-not-json' },
  { name: 'truncated JSON', behaviour: { kind: 'truncated-json' }, code: 'source-not-json' },
  {
    name: 'a broken connection',
    behaviour: { kind: 'broken-connection' },
    code: 'source-unreachable',
  },
];

test('an upstream error of any kind, on the first page or a later one, removes no rows', async () => {
  const upstream = await startUpstream({ rows: ROWS });
  const config = {
    registries: [
      { name: 'source', api: { endpoint: upstream.url }, syncPolicy: { interval: '12h' } },
    ],
  };
  const { client } = await startSystem({ config, workers: 1 });
  const before = await untilComplete(client, 'source');
  // A registry that fails already gets one request a run, so the test need not wait for retries eight times.
  const first = upstream.behave({ kind: 'html' });
  expect(await client.sync('source')).toMatchObject({ outcome: 'failed' });
  expect(first.applied).toHaveLength(1);

  for (const { name, behaviour, code } of FAULTS) {
    for (const when of [isFirstPage, isLaterPage]) {
      const script = upstream.behave(behaviour, { when, times: Number.POSITIVE_INFINITY });
      expect(await client.sync('source'), name).toMatchObject({
        outcome: 'failed',
        error: { code },
      });
      expect(script.applied.length, name).toBeGreaterThan(0);
      script.end();
      const after = await client.registry('source');
      expect(after.snapshot, name).toBe(before.snapshot);
      expect(after.status.lastSuccessAt, name).toBe(before.status.lastSuccessAt);
    }
  }
  await expectAllServed(client);

  // A well-formed answer that has lost everything waits for an operator.
  upstream.replace([]);
  expect(await client.sync('source')).toMatchObject({ outcome: 'held' });
  expect((await client.registry('source')).held).toMatchObject({ reason: 'empty' });
  await expectAllServed(client);

  // Rows that a healthy upstream has removed are gone.
  upstream.replace(ROWS.slice(10));
  expect(await client.sync('source')).toMatchObject({
    outcome: 'published',
    diff: { removed: 10 },
  });
  expect(await client.allServers('source')).toHaveLength(ROWS.length - 10);
});

/** Expects all rows in the list and by name, because another Syncline reads both. */
async function expectAllServed(client: ApiClient): Promise<void> {
  const served = await client.allServers('source');
  expect(served.map(rowKey).sort()).toEqual(ROWS.map(rowKey).sort());
  for (const { server } of [ROWS.at(0), ROWS.at(-1)].filter((row) => row !== undefined)) {
    const path = `/registry/source/v0.1/servers/${encodeURIComponent(server.name)}/versions/${server.version}`;
    expect(await client.get(path)).toMatchObject({ status: 200 });
  }
}
