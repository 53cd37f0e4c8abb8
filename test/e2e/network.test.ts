import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import path from 'node:path';
import { expect, test } from 'vitest';
import { testLifetime } from '../support/lifetime.ts';
import { connect } from '../support/redis.ts';
import { generateRows } from '../support/rows/generate.ts';
import { startSystem } from '../support/system.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { untilComplete, untilRegistry } from '../support/until-registry.ts';
import { startUpstream } from '../support/upstream.ts';

const ROWS = generateRows({ count: 130, seed: 83 });
const SECRET = 'planted-secret-5e09b2';

test('an upstream at a private address gets no request until the config allows it', async () => {
  const upstream = await startUpstream({ rows: ROWS });
  const registries = [{ name: 'inside', api: { endpoint: upstream.url } }];
  const network = { allow: [] };
  const { client, config } = await startSystem({ config: { registries, network }, workers: 1 });
  const { status } = await untilRegistry(
    client,
    'inside',
    (registry) => registry.status.phase === 'Failed',
  );
  expect(status).toMatchObject({
    errorCode: 'source-address-refused',
    message: '127.0.0.1 is a loopback address and is blocked. Add it to network.allow to permit it',
  });
  expect(upstream.requests).toEqual([]);
  await config.replace({ registries, network: { allow: ['127.0.0.0/8'] } });
  const synced = await untilComplete(client, 'inside');
  expect(synced.status.versionCount).toBe(ROWS.length);
});

/** A file behind a URL, for clients with the token, with an `ETag`. */
async function serveFile(token: string) {
  const file = { text: '', statuses: [] as number[] };
  const answer = (request: IncomingMessage, response: ServerResponse) => {
    const etag = `"${createHash('sha256').update(file.text).digest('hex').slice(0, 16)}"`;
    const isLetIn =
      request.headers.authorization === `Bearer ${token}` && request.headers['x-api-key'] === token;
    const isKnown = request.headers['if-none-match'] === etag;
    const status = isLetIn ? (isKnown ? 304 : 200) : 401;
    file.statuses.push(status);
    response.writeHead(status, { etag }).end(status === 200 ? file.text : undefined);
  };
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  testLifetime.defer(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('expected a TCP address');
  return Object.assign(file, { url: `http://127.0.0.1:${address.port}/registry.json` });
}

test('a file at a URL is requested with its token, and downloaded again only if it changed', async () => {
  const file = await serveFile(SECRET);
  file.text = JSON.stringify({ servers: ROWS.slice(0, 100), metadata: {} });
  const timesSent = () => file.statuses.filter((status) => status === 200).length;
  const tokenFile = path.join(await temporaryDirectory(testLifetime), 'token');
  await writeFile(tokenFile, 'not yet the right one');
  const config = {
    registries: [
      {
        name: 'remote',
        file: {
          url: file.url,
          auth: { tokenFile },
          headers: { 'X-Api-Key': { file: tokenFile } },
        },
        syncPolicy: { interval: '1h' },
      },
    ],
  };
  const system = await startSystem({ config, workers: 1 });
  const { client } = system;
  const refused = await untilRegistry(
    client,
    'remote',
    (registry) => registry.status.phase === 'Failed',
  );
  expect(refused.status).toMatchObject({ errorCode: 'source-http-status' });

  // A new credential needs no restart.
  await writeFile(tokenFile, `${SECRET}\n`);
  await client.sync('remote');
  expect((await client.registry('remote')).status).toMatchObject({
    phase: 'Complete',
    versionCount: 100,
  });
  expect(await client.sync('remote')).toMatchObject({ outcome: 'unchanged' });
  expect(timesSent()).toBe(1);
  expect(file.statuses).toContain(304);
  file.text = JSON.stringify({ servers: ROWS, metadata: {} });
  expect(await client.sync('remote')).toMatchObject({ outcome: 'published', diff: { added: 30 } });
  expect(timesSent()).toBe(2);

  const redis = connect(system.redisUrl);
  const keys = await redis.keys('*');
  expect(keys.some((key) => key.startsWith(system.prefix))).toBe(true);
  const everything = [
    ...(await Promise.all(
      keys.filter((key) => key.includes(system.prefix)).map((key) => redis.dumpBuffer(key)),
    )),
    ...[...system.workers, ...system.schedulers, system.api].map(({ output }) => output.tail()),
    JSON.stringify(await client.get('/v1/registries')),
    JSON.stringify(await client.runs('remote')),
  ].map((part) => String(part));
  for (const part of everything) expect(part).not.toContain(SECRET);
});

test('two workers together stay within the request budget of a host', async () => {
  const upstream = await startUpstream({ rows: ROWS });
  const host = '127.0.0.1';
  const config = {
    registries: ['alpha', 'beta', 'gamma', 'delta'].map((name) => ({
      name,
      api: { endpoint: upstream.url },
    })),
    network: { allow: ['127.0.0.1'], budgets: [{ host, concurrency: 1 }] },
  };
  const gate = upstream.hold({ times: Number.POSITIVE_INFINITY });
  // All of them run at once, on either worker.
  const env = { SYNCLINE_HEAVY_RUNS: '4' };
  const { client } = await startSystem({ config, env, workers: 2 });
  await gate.arrived;
  const names = config.registries.map(({ name }) => name);
  for (const name of names) {
    await untilRegistry(client, name, ({ status }) => status.phase === 'Syncing');
  }
  expect(upstream.requests).toHaveLength(1);
  gate.release();
  for (const name of names) await untilComplete(client, name);
});
