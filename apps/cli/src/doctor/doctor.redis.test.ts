import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import {
  connect,
  freshPrefix,
  redisUrl,
  startRedisServer,
  until,
  writeConfig,
} from '@syncline/test/support';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { startSyncline, synclineApart } from '../testing/syncline.ts';

const reportSchema = z.object({
  findings: z.array(
    z.object({
      check: z.string(),
      level: z.string(),
      found: z.string(),
      advice: z.string().optional(),
    }),
  ),
  counts: z.record(z.string(), z.number()),
});

async function doctor(env: Readonly<Record<string, string>>, ...args: string[]) {
  const { code, stdout, stderr } = await synclineApart(['doctor', '--json', ...args], { env });
  const { findings, counts } = reportSchema.parse(JSON.parse(stdout));
  const levels = Object.fromEntries(findings.map(({ check, level }) => [check, level]));
  return { code, stderr, findings, counts, levels };
}

test('a working system has no problem, and bad Redis settings are found', async () => {
  const redis = await startRedisServer();
  const config = await writeConfig({ registries: [{ name: 'local', file: { path: './r.json' } }] });
  await writeFile(path.join(config.directory, 'r.json'), '{"servers":[]}');
  const env = { REDIS_URL: redis.url, SYNCLINE_CONFIG: config.path };
  for (const name of ['scheduler', 'worker']) {
    const started = await startSyncline([name], { env });
    await started.waitForLog(({ msg }) => msg === 'started');
  }
  const client = connect(redis.url);
  await until(async () => (await client.hget('syncline:{local}:status', 'phase')) === 'Complete', {
    what: 'the first sync',
  });

  const well = await doctor(env);
  expect(well).toMatchObject({ code: 0, stderr: '', counts: { problem: 0 } });
  // A busy machine may respond slowly.
  const { redis: _answers, ...settings } = well.levels;
  expect(new Set(Object.values(settings))).toEqual(new Set(['ok']));
  expect(well.levels).toMatchObject({
    'redis hz': 'ok',
    'config in force': 'ok',
    workers: 'ok',
    scheduler: 'ok',
    schedules: 'ok',
    'source of local': 'ok',
  });

  await client.config('SET', 'hz', '10');
  await client.config('SET', 'appendfsync', 'no');
  await client.config('SET', 'maxmemory', '100mb');
  await client.config('SET', 'maxmemory-policy', 'allkeys-lru');
  await config.replace({
    registries: [
      { name: 'local', file: { path: './r.json' } },
      { name: 'gone', file: { path: './gone.json' } },
    ],
  });
  await until(
    async () => (await client.zscore('{syncline:queue}:registry-sync:repeat', 'gone')) !== null,
    {
      what: 'the new config in force',
    },
  );
  const bad = await doctor(env);
  expect(bad.code).toBe(1);
  expect(bad.levels).toMatchObject({
    'redis hz': 'warning',
    'redis persistence': 'warning',
    'redis eviction': 'problem',
    'redis memory': 'ok',
    'source of local': 'ok',
    'source of gone': 'problem',
  });
  await client.config('SET', 'appendonly', 'no');
  const [persistence] = (await doctor(env, '--no-sources')).findings.filter(
    ({ check }) => check === 'redis persistence',
  );
  expect(persistence).toMatchObject({ found: 'appendonly no' });

  const people = await synclineApart(['doctor'], { env });
  expect(people.code).toBe(1);
  expect(people.stdout).toMatch(/^problem {2}redis eviction +maxmemory-policy allkeys-lru$/m);
  expect(people.stdout).toMatch(/^ +do: {2}Run CONFIG SET maxmemory-policy noeviction/m);
});

test('a replica is a problem', async () => {
  const [master, replica] = await Promise.all([startRedisServer(), startRedisServer()]);
  await connect(replica.url).call('REPLICAOF', '127.0.0.1', String(master.port));
  const { levels, code } = await doctor({ REDIS_URL: replica.url });
  expect({ role: levels['redis role'], code }).toEqual({ role: 'problem', code: 1 });
});

test('without Redis everything else is checked, and no password is shown', async () => {
  const config = await writeConfig({
    registries: [
      {
        name: 'team',
        api: { endpoint: 'http://127.0.0.1:1', auth: { tokenFile: '/tmp/none/token' } },
      },
    ],
  });
  const { levels, findings } = await doctor({
    REDIS_URL: 'redis://user:hunter2@127.0.0.1:1',
    SYNCLINE_CONFIG: config.path,
  });
  expect(levels).toMatchObject({
    redis: 'problem',
    'config file': 'ok',
    'credential of team': 'problem',
    'source of team': 'problem',
  });
  expect(JSON.stringify(findings)).not.toContain('hunter2');
});

test('a Redis without a config is a problem', async () => {
  const env = { REDIS_URL: redisUrl(), SYNCLINE_PREFIX: freshPrefix() };
  const config = await writeConfig({ registries: [{ name: 'a', file: { path: './r.json' } }] });
  await config.replaceText('registries: {}');
  const { levels, findings } = await doctor({ ...env, SYNCLINE_CONFIG: config.path });
  expect(levels).toMatchObject({ 'config in force': 'problem', 'config file': 'problem' });
  expect(findings.find(({ check }) => check === 'config file')?.found).toContain(
    'syncline.yaml:1:13 registries',
  );
});
