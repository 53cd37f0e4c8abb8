/**
 * Plants a secret in each kind of credential and causes everything that may show one. Then searches for them
 * everywhere that anyone can read: answers, Bull Board, logs, metrics, the command line, all of Redis.
 */
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { startGitHttpServer, TestRepository } from '@syncline/sources/testing';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { type ApiClient, createApiClient } from '../support/api-client.ts';
import { testLifetime } from '../support/lifetime.ts';
import { OPS_ENV, opsUrl } from '../support/ops.ts';
import { startProcess } from '../support/processes.ts';
import { projectRoot } from '../support/project.ts';
import { connect } from '../support/redis.ts';
import { startRedisServer } from '../support/redis-server.ts';
import { generateRows } from '../support/rows/generate.ts';
import { PROGRAMS, type System, startSystem } from '../support/system.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { untilComplete, untilRegistry } from '../support/until-registry.ts';

const ROWS = generateRows({ count: 5, seed: 7 });

/** One secret for each credential, each of a kind that can be found in any text. */
const SECRETS = {
  apiToken: 'planted-api-token-1f8e',
  urlToken: 'planted-url-token-2a7d',
  header: 'planted-header-3b6c',
  query: 'planted-query-4c5b',
  admin: 'planted-admin-token-5d4a',
  redis: 'planted-redis-password-6e39',
  proxy: 'planted-proxy-password-7f28',
  git: 'planted-git-password-8a17',
  sshKey: 'planted-ssh-key-9b06',
} as const;

/** The secrets as they are, and encoded as in headers and URLs. */
const NEEDLES = Object.values(SECRETS).flatMap((secret) => [
  secret,
  ...['user', 'mirror', ''].map((user) => Buffer.from(`${user}:${secret}`).toString('base64')),
]);

function secretsIn(text: string): string[] {
  return NEEDLES.filter((needle) => text.includes(needle));
}

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

/** Returns good rows, and a row that repeats what the upstream received. */
function withEcho({ headers }: IncomingMessage): object[] {
  const description = `your request was ${JSON.stringify(headers)}`;
  return [...ROWS, { name: 'io.echo/echo', version: '1.0.0', description }];
}

/** An upstream that admits holders of a secret, and leaks it in every way it can. */
async function startUpstream(): Promise<{ url: string; seen: () => string }> {
  const received: string[] = [];
  const answers: Record<string, Answer> = {
    '/good': (request, response) => response.end(JSON.stringify({ servers: withEcho(request) })),
    '/api/v0.1/servers': (request, response) =>
      response.end(JSON.stringify({ servers: withEcho(request), metadata: { count: 6 } })),
    '/echo-text': (request, response) => response.end(request.headers.authorization),
    '/echo-html': (request, response) =>
      response.end(`<html>${JSON.stringify(request.headers)}</html>`),
    '/echo-json': (request, response) => response.end(JSON.stringify(request.headers)),
    '/echo-keys': (request, response) =>
      response.end(JSON.stringify({ [request.headers.authorization ?? '']: 1 })),
    '/echo-row': (request, response) =>
      response.end(JSON.stringify([{ name: request.headers.authorization, version: 7 }])),
    '/refuse/v0.1/servers': (request, response) =>
      response
        .writeHead(401, { 'www-authenticate': `Bearer ${request.headers.authorization}` })
        .end(JSON.stringify(request.headers)),
    '/redirect': (request, response) =>
      response
        .writeHead(302, { location: `http://[::ffff:10.0.0.1]/${request.headers.authorization}` })
        .end(),
    '/broken': (request, response) => {
      response.writeHead(200, { 'content-encoding': 'gzip' });
      response.end(`${request.headers.authorization}`);
    },
  };
  const server = createServer((request, response) => {
    received.push(JSON.stringify(request.headers) + request.url);
    const answer = answers[(request.url ?? '').split('?')[0] ?? ''];
    if (answer === undefined) response.writeHead(404).end(request.headers.authorization);
    else answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  testLifetime.defer(() => void server.close().closeAllConnections());
  // A server that listens on TCP has an address of this kind.
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, seen: () => received.join('\n') };
}

/** A repository that admits users with the password, and one that answers with what it received. */
async function startRepository(): Promise<{ url: string; echoUrl: string }> {
  const repository = await TestRepository.create();
  testLifetime.defer(() => repository[Symbol.asyncDispose]());
  await repository.commit({ 'registry.json': JSON.stringify({ servers: ROWS }) });
  const login = { username: 'mirror', password: SECRETS.git };
  const server = await startGitHttpServer({ root: repository.root, login });
  testLifetime.defer(() => server.close());
  const echo = await startGitHttpServer({
    root: repository.root,
    answer: ({ headers }, response) => {
      const { authorization = '' } = headers;
      const status = authorization === '' ? 401 : 403;
      const headersOfEcho = { 'www-authenticate': 'Basic realm="x"', 'content-type': 'text/plain' };
      const [, password = ''] = Buffer.from(authorization.slice(6), 'base64').toString().split(':');
      response.writeHead(status, headersOfEcho).end(`no: ${authorization} ${password}\n`);
      return true;
    },
  });
  testLifetime.defer(() => echo.close());
  return {
    url: `${server.url}/${repository.name}`,
    echoUrl: `${echo.url}/${repository.name}`,
  };
}

async function writeSecrets(): Promise<Record<keyof typeof SECRETS, string>> {
  const directory = await temporaryDirectory();
  const files = Object.entries(SECRETS).map(async ([name, secret]) => {
    const file = path.join(directory, name);
    await writeFile(file, `${secret}\n`);
    await chmod(file, 0o600);
    return [name, file] as const;
  });
  return Object.fromEntries(await Promise.all(files)) as Record<keyof typeof SECRETS, string>;
}

async function startPlanted() {
  const [upstream, files, redis, repository] = await Promise.all([
    startUpstream(),
    writeSecrets(),
    startRedisServer(),
    startRepository(),
  ]);
  const login = { username: 'mirror', passwordFile: files.git };
  await connect(redis.url).config('SET', 'requirepass', SECRETS.redis);
  const auth = { tokenFile: files.urlToken };
  const url = (name: string, place: string) => ({
    name,
    file: {
      url: `${upstream.url}/${place}`,
      auth,
      headers: { 'X-API-Key': { file: files.header } },
    },
  });
  const system = await startSystem({
    redisUrl: redis.url.replace('redis://', `redis://:${SECRETS.redis}@`),
    prefix: 'planted',
    workers: 1,
    env: {
      ...OPS_ENV,
      LOG_LEVEL: 'trace',
      SYNCLINE_ADMIN_TOKEN_FILE: files.admin,
      SYNCLINE_DATA_DIR: await temporaryDirectory(),
      HTTPS_PROXY: `http://user:${SECRETS.proxy}@127.0.0.1:9`,
    },
    config: {
      registries: [
        {
          name: 'api',
          api: { endpoint: `${upstream.url}/api`, auth: { tokenFile: files.apiToken } },
        },
        url('url', `good?key=${SECRETS.query}`),
        url('text', 'echo-text'),
        url('html', 'echo-html'),
        url('json', 'echo-json'),
        url('keys', 'echo-keys'),
        url('row', 'echo-row'),
        url('redirect', 'redirect'),
        url('broken', 'broken'),
        url('missing', `missing?key=${SECRETS.query}`),
        { name: 'git', git: { repository: repository.url, auth: login } },
        { name: 'git-echo', git: { repository: repository.echoUrl, auth: login } },
        {
          name: 'git-ssh',
          git: { repository: 'ssh://git@127.0.0.1:9/x.git', auth: { sshKeyFile: files.sshKey } },
        },
        {
          name: 'refused',
          api: { endpoint: `${upstream.url}/refuse`, auth: { tokenFile: files.apiToken } },
        },
        {
          name: 'proxied',
          api: { endpoint: 'https://registry.invalid', auth: { tokenFile: files.apiToken } },
        },
      ],
      catalogs: [{ name: 'default', registries: ['api', 'url', 'git'] }],
    },
  });
  const operator = createApiClient({ url: system.apiUrl, token: SECRETS.admin });
  return { system, operator, upstream, files };
}

/** Returns every path of the document, with existing names for its parameters. */
async function pathsToRead(client: ApiClient): Promise<string[]> {
  const document = parse(
    await readFile(path.join(projectRoot, 'apps/api/openapi.yaml'), 'utf8'),
  ) as {
    paths: Record<string, { get?: object }>;
  };
  const { registries } = (await client.get('/v1/registries')).body as {
    registries: { name: string }[];
  };
  const runs = await Promise.all(registries.map(({ name }) => client.runs(name)));
  const ids = [
    ...runs
      .flat()
      .slice(0, 20)
      .map(({ id }) => id),
    'nobody:1',
  ];
  const names = [...registries.map(({ name }) => name), 'catalog.default', 'nobody'];
  const catalogs = [...registries.map(({ name }) => name), 'default', 'nobody'];
  const values: Record<string, readonly string[]> = {
    catalog: catalogs,
    name: [...names, 'default'],
    serverName: [encodeURIComponent(ROWS[0]?.server.name ?? ''), 'nobody'],
    version: ['latest', 'nobody'],
    request: ['1', '999'],
    id: ids,
  };
  return Object.entries(document.paths)
    .filter(([, { get }]) => get !== undefined)
    .flatMap(([pattern]) => expand(pattern, values));
}

function expand(pattern: string, values: Record<string, readonly string[]>): string[] {
  const [whole, name] = /\{(\w+)\}/.exec(pattern) ?? [];
  if (whole === undefined || name === undefined) return [pattern];
  const known = values[name];
  if (known === undefined) throw new Error(`this test knows no value for ${whole} of ${pattern}`);
  return known.flatMap((value) => expand(pattern.replace(whole, value), values));
}

async function readAll(client: ApiClient, paths: readonly string[]): Promise<string> {
  const texts: string[] = [];
  for (const place of paths) {
    const { body, headers } = await client.get(place);
    texts.push(`${place} ${JSON.stringify([...headers])} ${JSON.stringify(body)}`);
  }
  return texts.join('\n');
}

/** Calls every control route, and returns the answers. */
async function controlAll(operator: ApiClient, upstreamUrl: string): Promise<string> {
  const answers = [
    await operator.post('/v1/registries/url/sync', { force: true, wait: 600 }),
    await operator.post('/v1/registries/text/sync', { force: true, wait: 600 }),
    await operator.post('/v1/sync', { force: true }),
    await operator.post('/v1/registries/url/preview', { wait: 600 }),
    await operator.post('/v1/registries/text/preview', { wait: 600 }),
    await operator.post('/v1/registries/new/preview', {
      config: { file: { url: `${upstreamUrl}/good`, headers: { 'X-API-Key': SECRETS.header } } },
    }),
    await operator.post('/v1/registries/api/suspend', { note: 'for a while' }),
    await operator.post('/v1/registries/api/resume'),
    await operator.post('/v1/registries/api/rollback', { snapshot: 'nothing' }),
    await operator.post('/v1/registries/api/approve', { snapshot: 'nothing' }),
    await createApiClient({ url: operator.url, token: 'wrong' }).post('/v1/sync'),
  ];
  return JSON.stringify(answers.map(({ status, headers, body }) => [status, [...headers], body]));
}

/** Returns Bull Board's answers: the queue in every state, and each job. */
async function readBoard(operator: ApiClient): Promise<string> {
  const states = ['waiting', 'active', 'completed', 'failed', 'delayed', 'prioritized', 'paused'];
  const texts: string[] = [JSON.stringify((await operator.get('/queues/')).body)];
  for (const status of states) {
    const list = await operator.get(
      `/queues/api/queues?activeQueue=registry-sync&status=${status}&page=1&jobsPerPage=50`,
    );
    texts.push(JSON.stringify(list.body));
    const ids = [...texts.join().matchAll(/"id":"([^"]+)"/g)].map(([, id = '']) => id);
    for (const id of new Set(ids)) {
      const place = `/queues/api/queues/registry-sync/${encodeURIComponent(id)}`;
      texts.push(JSON.stringify((await operator.get(place)).body));
    }
  }
  texts.push(JSON.stringify((await operator.get('/queues/api/job-schedulers')).body));
  return texts.join('\n');
}

/** Returns all keys and values, as text. */
async function dumpRedis(url: string): Promise<string> {
  const redis = connect(url);
  const texts: string[] = [];
  for (const key of await redis.keys('*')) {
    const type = await redis.type(key);
    texts.push(key, JSON.stringify(await readKey(redis, key, type)));
  }
  return texts.join('\n');
}

function readKey(redis: ReturnType<typeof connect>, key: string, type: string): Promise<unknown> {
  if (type === 'string') return redis.get(key);
  if (type === 'hash') return redis.hgetall(key);
  if (type === 'list') return redis.lrange(key, 0, -1);
  if (type === 'set') return redis.smembers(key);
  if (type === 'zset') return redis.zrange(key, '0', '-1', 'WITHSCORES');
  if (type === 'stream') return redis.xrange(key, '-', '+');
  // It has expired since it was listed, as the lock of the sweep does every few seconds.
  if (type === 'none') return Promise.resolve(undefined);
  throw new Error(`${key} is of the type ${type}`);
}

async function runCommands(system: System, commands: readonly string[][]): Promise<string> {
  const texts: string[] = [];
  for (const args of commands) {
    const started = await startProcess({
      name: `syncline ${args.join(' ')}`,
      entry: PROGRAMS.cli,
      args,
      env: {
        REDIS_URL: system.redisUrl,
        SYNCLINE_PREFIX: system.prefix,
        SYNCLINE_CONFIG: system.config.path,
        LOG_LEVEL: 'trace',
      },
    });
    await started.exited;
    texts.push(...started.output.lines);
  }
  return texts.join('\n');
}

test('a secret in a credential leaks nowhere', async () => {
  const { system, operator, upstream, files } = await startPlanted();
  const { client } = system;
  for (const name of ['api', 'url', 'git', 'catalog.default']) await untilComplete(client, name);
  const failing = ['text', 'html', 'json', 'keys', 'row', 'redirect', 'broken', 'missing'];
  for (const name of [...failing, 'git-echo', 'git-ssh', 'refused', 'proxied']) {
    await untilRegistry(
      client,
      name,
      ({ status, held }) => status.phase === 'Failed' || held !== null,
    );
  }
  // Only what was sent can be found.
  for (const name of ['apiToken', 'urlToken', 'header', 'query'] as const) {
    expect(upstream.seen()).toContain(SECRETS[name]);
  }

  // A credential that goes bad, and a rejected config with one in it.
  await writeFile(files.urlToken, `${SECRETS.urlToken} and\nmore\n`);
  const controlled = await controlAll(operator, upstream.url);
  await system.config.replaceText(
    `registries: [{ name: x, file: { url: "https://user:${SECRETS.urlToken}@h.example/", auth: ${SECRETS.apiToken} }, headers: { X-API-Key: ${SECRETS.header} } }]`,
  );
  const [scheduler] = system.schedulers;
  await scheduler?.waitForLog(({ msg }) => /config file rejected/.test(msg));
  const commands = await runCommands(system, [
    ['status', '--json'],
    ['status', 'text'],
    ['runs', 'text', '--json'],
    ['runs', 'proxied'],
    ['sync', 'keys', '--wait'],
    ['validate'],
  ]);
  const processes = [...system.schedulers, ...system.workers, system.api];
  const opsTexts = await Promise.all(
    processes.map(async (process) => {
      const url = await opsUrl(process);
      return JSON.stringify([
        await createApiClient({ url }).get('/metrics'),
        await createApiClient({ url }).get('/readiness'),
      ]);
    }),
  );
  const found = {
    answers: secretsIn(await readAll(client, await pathsToRead(client))),
    answersToOperators: secretsIn(await readAll(operator, await pathsToRead(operator))),
    control: secretsIn(controlled),
    bullBoard: secretsIn(await readBoard(operator)),
    commandLine: secretsIn(commands),
    metrics: secretsIn(opsTexts.join()),
    logs: processes.flatMap(({ output }) => secretsIn(output.lines.join('\n'))),
    // A query is no place for a credential: the config is in Redis as it was written.
    redis: secretsIn(await dumpRedis(system.redisUrl)).filter((it) => it !== SECRETS.query),
  };
  expect(found).toEqual({
    answers: [],
    answersToOperators: [],
    control: [],
    bullBoard: [],
    commandLine: [],
    metrics: [],
    logs: [],
    redis: [],
  });
});
