import { execFile } from 'node:child_process';
import { appendFile, cp, readFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { createSynclineClient } from '@syncline/client';
import { redisKeys, requestJob } from '@syncline/contract';
import type { Redis } from '@syncline/redis';
import { Queue } from 'bullmq';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { replaceFile } from '../support/config.ts';
import { suiteLifetime } from '../support/lifetime.ts';
import { startProcess } from '../support/processes.ts';
import { projectRoot } from '../support/project.ts';
import { connect } from '../support/redis.ts';
import { type RedisServerHandle, startRedisServer } from '../support/redis-server.ts';
import { type RegistryFile, writeRegistryFile } from '../support/registry-file.ts';
import { generateRows } from '../support/rows/generate.ts';
import { PROGRAMS, startSystem } from '../support/system.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { until } from '../support/until.ts';
import { untilComplete, untilRegistry, untilRun } from '../support/until-registry.ts';
import { startUpstream } from '../support/upstream.ts';

const PREFIX = 'acme.mirror';
const ADMIN_PASSWORD = 'of-the-test';
const keys = redisKeys(PREFIX);
const ROWS = generateRows({ count: 30 });

const NETWORK = {
  allow: ['127.0.0.1'],
  budgets: [{ host: '127.0.0.1', concurrency: 1, requestsPerSecond: 50 }],
};

type Role = 'scheduler' | 'worker' | 'api' | 'operator' | 'enqueuer';

const lifetime = suiteLifetime();
let server: RedisServerHandle;
let admin: Redis;
let passwords: Map<string, string>;

function urlOf(role: Role): string {
  const password = passwords.get(`REDIS_PASSWORD_OF_${role.toUpperCase()}`);
  return server.url.replace('redis://', `redis://${PREFIX}-${role}:${password}@`);
}

/** Returns the commands that Redis has refused so far, and forgets them. */
async function refusals(): Promise<string[]> {
  const log = (await admin.call('ACL', 'LOG')) as unknown[];
  await admin.call('ACL', 'LOG', 'RESET');
  return log.map((entry) => JSON.stringify(entry));
}

beforeAll(async () => {
  const directory = await temporaryDirectory(lifetime);
  const acl = path.join(directory, 'redis-acl');
  await cp(path.join(projectRoot, 'infra/redis-acl'), acl, { recursive: true });
  await promisify(execFile)(path.join(acl, 'create-users.sh'), [PREFIX]);
  const users = path.join(acl, 'users.acl');
  await appendFile(users, `user admin on >${ADMIN_PASSWORD} ~* &* +@all\n`);
  const text = await readFile(path.join(directory, '.env'), 'utf8');
  passwords = new Map(
    text.split('\n').map((line) => {
      const [name = '', password = ''] = line.split('=');
      return [name, password];
    }),
  );
  server = await startRedisServer({ settings: () => ({ aclfile: users }), lifetime });
  admin = connect(server.url.replace('redis://', `redis://admin:${ADMIN_PASSWORD}@`), lifetime);
});

async function startFleet() {
  const files = await Promise.all([writeRegistryFile(ROWS), writeRegistryFile(ROWS.slice(0, 10))]);
  const entry = (name: string, file: RegistryFile) => ({
    name,
    file: { path: file.path },
    syncPolicy: { interval: '2s' },
  });
  const [first, second] = files;
  const upstream = await startUpstream({ rows: ROWS });
  const remote = { name: 'remote', api: { endpoint: upstream.url } };
  const registries = [entry('first', first), entry('second', second), remote];
  const catalogs = [{ name: 'both', registries: ['first', 'second'] }];
  const system = await startSystem({
    config: { registries, catalogs, network: NETWORK },
    prefix: PREFIX,
    redisUrl: urlOf('operator'),
    redisUrlOf: (program) => urlOf(program === 'cli' ? 'operator' : program),
    workers: 2,
  });
  const cli = async (...args: string[]) => {
    const env = { REDIS_URL: urlOf('operator'), SYNCLINE_PREFIX: PREFIX };
    const child = await startProcess({ name: 'cli', entry: PROGRAMS.cli, args, env });
    const { code } = await child.exited;
    return { code, text: child.output.lines.join('\n') };
  };
  return { ...system, first, entry, cli };
}

test('the whole system runs under the users of infra/redis-acl, without a refused command', async () => {
  await refusals();
  const { client, first, entry, cli, config, schedulers, workers, api } = await startFleet();
  await untilComplete(client, 'first');
  await untilComplete(client, 'remote');
  await untilRegistry(client, 'catalog.both', ({ status }) => status.phase === 'Complete');
  expect(await client.allServers('both')).toHaveLength(ROWS.length);

  const { snapshot } = await client.registry('first');
  await first.replace(ROWS.slice(0, 29));
  await untilRun(
    client,
    'first',
    ({ outcome, diff }) => outcome === 'published' && diff?.removed === 1,
  );
  expect(await client.sync('first', { force: true })).toMatchObject({ outcome: 'unchanged' });
  expect(await client.post('/v1/registries/first/suspend', { note: 'n' })).toMatchObject({
    status: 200,
  });
  expect(await client.post('/v1/registries/first/resume', {})).toMatchObject({ status: 200 });
  const rolledBack = await client.post('/v1/registries/first/rollback', { snapshot });
  expect(rolledBack).toMatchObject({ status: 200 });
  expect(await client.allServers('first')).toHaveLength(ROWS.length);
  expect(await client.post('/v1/registries/first/resume', {})).toMatchObject({ status: 200 });
  expect(await client.post('/v1/registries/first/preview', { wait: 300 })).toMatchObject({
    status: 200,
  });
  expect(await client.get('/queues/')).toMatchObject({ status: 200 });
  for (const call of [
    'queues?activeQueue=registry-sync&status=delayed',
    'job-schedulers',
    'redis/stats',
  ]) {
    const { status } = await client.get(`/queues/api/${call}`);
    expect([200, 404], call).toContain(status);
  }

  for (const args of [
    ['status'],
    ['runs', 'first'],
    ['sync', 'first', '--wait'],
    ['diff', 'first'],
    ['suspend', 'second', '--note', 'n'],
    ['resume', 'second'],
    ['doctor'],
  ]) {
    const { code, text } = await cli(...args);
    expect(code, `${args.join(' ')}: ${text}`).toBe(0);
    expect(text).not.toMatch(/NOPERM|NOAUTH/);
  }

  const enqueuer = createSynclineClient({ redis: urlOf('enqueuer'), prefix: PREFIX });
  onTestFinished(() => enqueuer.close());
  const { request } = await enqueuer.requestSync('second', { force: true });
  expect(await enqueuer.waitForRun('second', request, { timeoutMs: 300_000 })).toBeDefined();
  expect(await enqueuer.getStatus('second')).toMatchObject({ phase: 'Complete' });
  const queue = new Queue('registry-sync', {
    connection: connect(urlOf('enqueuer')),
    prefix: keys.queuePrefix,
  });
  onTestFinished(() => queue.close());
  const runs = await client.runs('second');
  const { name, data, opts } = requestJob({
    registry: 'second',
    request: request + 1,
    force: true,
  });
  await queue.add(name, data, opts);
  await until(async () => (await client.runs('second'))[0]?.id !== runs[0]?.id, {
    what: 'the run of a job from another library',
  });

  await replaceFile(config.path, JSON.stringify({ registries: [entry('first', first)] }));
  await until(async () => Number(await admin.zscore(keys.registries, 'second')) > 0, {
    what: 'that the scheduler drops a registry',
  });
  // The scheduler removes the data ten minutes later, in one of its passes.
  await admin.zadd(keys.registries, Date.now() - 11 * 60_000, 'second');
  await until(async () => (await admin.exists(keys.status('second'))) === 0, {
    what: 'the removal of a dropped registry',
    timeoutMs: 300_000,
  });

  expect(await refusals()).toEqual([]);
  for (const process of [...schedulers, ...workers, api]) {
    expect(process.output.lines.filter((line) => /NOPERM|NOAUTH/.test(line))).toEqual([]);
  }
});

describe('a user may not', () => {
  const status = keys.status('first');
  test.each<[role: Role, what: string, command: [string, ...string[]]]>([
    ['enqueuer', 'write the config', ['SET', keys.config, 'x']],
    ['enqueuer', 'write a config document', ['SET', keys.configDocument('x'), '{}']],
    [
      'enqueuer',
      'write the config in a script',
      ['EVAL', "return redis.call('SET', KEYS[1], 'x')", '1', keys.config],
    ],
    [
      'enqueuer',
      'write it without declaring the key',
      ['EVAL', `return redis.call('SET', '${keys.config}', 'x')`, '0'],
    ],
    ['enqueuer', 'rename a key to it', ['RENAME', keys.control('first'), keys.config]],
    ['enqueuer', 'raise the edition', ['INCR', keys.configEdition]],
    ['enqueuer', 'write a status', ['HSET', status, 'phase', 'Complete']],
    ['enqueuer', 'move the pointer', ['SET', keys.snapshot('first'), 'x']],
    ['enqueuer', 'write a chunk', ['HSET', keys.snapshotChunks('first'), 'x', 'x']],
    ['enqueuer', 'read a chunk', ['HGETALL', keys.snapshotChunks('first')]],
    ['enqueuer', 'request a preview', ['LPUSH', `${keys.queuePrefix}:registry-preview:wait`, 'x']],
    ['enqueuer', 'write a run', ['XADD', keys.runs('first'), '*', 'run', '{}']],
    ['worker', 'write the config', ['SET', keys.config, 'x']],
    ['worker', 'write a config document', ['SET', keys.configDocument('x'), '{}']],
    ['worker', 'remove the config', ['DEL', keys.config]],
    ['worker', 'raise the edition', ['INCR', keys.configEdition]],
    ['api', 'write the config', ['SET', keys.config, 'x']],
    ['operator', 'write the config', ['SET', keys.config, 'x']],
    ['scheduler', 'write a status', ['HSET', status, 'phase', 'Complete']],
    ['scheduler', 'write a chunk', ['HSET', keys.snapshotChunks('first'), 'x', 'x']],
    ['worker', 'read keys of other programs', ['GET', 'another:secret']],
    ['worker', 'list keys', ['SCAN', '0']],
    ['api', 'list keys', ['KEYS', '*']],
    ['operator', 'change settings', ['CONFIG', 'SET', 'dir', '/tmp']],
    ['scheduler', 'read settings', ['CONFIG', 'GET', 'requirepass']],
    ['operator', 'flush the database', ['FLUSHALL']],
    ['worker', 'see the commands of others', ['MONITOR']],
    ['api', 'end Redis', ['SHUTDOWN', 'NOSAVE']],
    ['api', 'create a user', ['ACL', 'SETUSER', 'x', 'on']],
    ['worker', 'copy the data to another server', ['REPLICAOF', '127.0.0.1', '1']],
  ])('%s: %s', async (role, _what, [command, ...args]) => {
    const redis = connect(urlOf(role));
    await expect(redis.call(command, ...args)).rejects.toThrow(/NOPERM|can't access/);
    await refusals();
  });

  test('without a password: anything but PING', async () => {
    const redis = connect(server.url);
    expect(await redis.ping()).toBe('PONG');
    await expect(redis.get(keys.config)).rejects.toThrow('NOPERM');
    await expect(redis.call('INFO')).rejects.toThrow('NOPERM');
  });
});
