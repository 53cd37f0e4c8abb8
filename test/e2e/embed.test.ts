import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { freePort } from '../support/ports.ts';
import { startProcess } from '../support/processes.ts';
import { projectRoot } from '../support/project.ts';
import { generateRows, rowKey } from '../support/rows.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { until, WAITING_MS } from '../support/until.ts';
import { startUpstream } from '../support/upstream.ts';

const ROWS = generateRows({ count: 1_744 });

const pageSchema = z.object({
  servers: z.array(z.object({ server: z.object({ name: z.string(), version: z.string() }) })),
  metadata: z.object({ nextCursor: z.string().optional() }),
});

function startExample(file: string, options: { directory: string; args: string[]; port?: number }) {
  const { directory, args, port } = options;
  const env = port === undefined ? {} : { PORT: String(port) };
  const entry = path.join('examples/embed', file);
  return startProcess({ name: file, entry, directory, args, env });
}

/** `name@version` of each served row, in order. */
async function readAll(url: string): Promise<string[]> {
  const keys: string[] = [];
  for (let cursor: string | undefined = ''; cursor !== undefined; ) {
    const response = await fetch(`${url}?limit=100&cursor=${encodeURIComponent(cursor)}`);
    expect(response.status).toBe(200);
    const { servers, metadata } = pageSchema.parse(await response.json());
    keys.push(...servers.map(({ server }) => `${server.name}@${server.version}`));
    cursor = metadata.nextCursor;
  }
  return keys;
}

test.each(['reads its upstream', 'stores what it has read'])(
  'an embedded coordinator that is killed while its first sync %s is complete after the next start',
  async (moment) => {
    const directory = await temporaryDirectory();
    const upstream = await startUpstream({ rows: ROWS });
    const gate = upstream.hold({ when: ({ number }) => number > 5, times: Infinity });
    const killed = await startExample('rows.ts', { directory, args: [upstream.url] });
    await gate.arrived;
    if (moment === 'stores what it has read') {
      gate.release();
      await firstFileIn(path.join(directory, 'data/registries/official/chunks'));
    }
    await killed.kill();
    expect(await readdir(directory)).toEqual(['data']);
    gate.release();

    const next = await startExample('rows.ts', { directory, args: [upstream.url] });
    expect(await next.exited).toEqual({ code: 0, signal: null });
    expect(next.output.tail()).toMatch(/^(Complete|Syncing): 1744 rows$/m);
    expect(await readdir(directory)).toEqual(['data']);
    expect(await readdir(path.join(directory, 'data/registries/official/manifests'))).toHaveLength(
      1,
    );
  },
);

/** Polls without a pause: a chunk is there for milliseconds before its snapshot is published. */
async function firstFileIn(folder: string): Promise<void> {
  const signal = AbortSignal.timeout(WAITING_MS);
  while ((await readdir(folder).catch(() => [])).length === 0) signal.throwIfAborted();
}

test('an Express app serves the mirror, locks its folder, and stops', async () => {
  const directory = await temporaryDirectory();
  const upstream = await startUpstream({ rows: ROWS });
  const port = await freePort();
  const url = `http://127.0.0.1:${port}/registry`;
  const app = await startExample('serve.ts', { directory, args: [upstream.url], port });
  await until(
    async () => {
      const response = await fetch(`${url}/default/v0.1/servers`).catch(() => undefined);
      return response?.ok === true ? true : undefined;
    },
    { what: 'the first page' },
  );
  const expected = ROWS.map(rowKey);
  expect(await readAll(`${url}/default/v0.1/servers`)).toEqual(expected);
  expect(await readAll(`${url}/official/v0/servers`)).toEqual(expected);

  const [row] = ROWS;
  const name = encodeURIComponent(row?.server.name ?? '');
  const latest = await fetch(`${url}/default/v0.1/servers/${name}/versions/latest`);
  expect(await latest.json()).toMatchObject({ server: { name: row?.server.name } });
  const versions = await fetch(`${url}/default/v0.1/servers/${name}/versions`);
  expect(versions.status).toBe(200);
  const unknown = await fetch(`${url}/nope/v0.1/servers`);
  expect(unknown.status).toBe(404);
  expect(await unknown.json()).toMatchObject({ code: 'unknown-catalog', status: 404 });
  expect((await fetch(`${url}/default/v0.1/servers?limit=x`)).status).toBe(400);

  const second = await startExample('rows.ts', { directory, args: [upstream.url] });
  expect(await second.exited).toMatchObject({ code: 1 });
  expect(second.output.tail()).toContain('another coordinator uses ');

  expect(await app.stop()).toEqual({ code: 0, signal: null });
  expect(await readdir(directory)).toEqual(['data']);
});

test('an Express app stops while its upstream does not answer', async () => {
  const directory = await temporaryDirectory();
  const upstream = await startUpstream({ rows: ROWS });
  const gate = upstream.hold({ times: Infinity });
  const port = await freePort();
  const app = await startExample('serve.ts', { directory, args: [upstream.url], port });
  await gate.arrived;
  expect(await app.stop()).toEqual({ code: 0, signal: null });
});

test('the embedding page shows the example that these tests run', async () => {
  const read = (file: string) => readFile(path.join(projectRoot, file), 'utf8');
  const [page, rows, serve] = await Promise.all(
    ['docs/embedding.md', 'examples/embed/rows.ts', 'examples/embed/serve.ts'].map(read),
  );
  const [shown = '', mounted = ''] = [...(page ?? '').matchAll(/```ts\n(.*?)```/gs)].map(
    ([, code]) => code,
  );
  expect(rows?.split('\n').slice(1).join('\n')).toBe(shown);
  expect(serve).toContain(mounted);
});
