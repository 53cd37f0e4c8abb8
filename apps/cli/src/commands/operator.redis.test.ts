import { userInfo } from 'node:os';
import path from 'node:path';
import { redisKeys, runSchema } from '@syncline/contract';
import { createRegistryReader } from '@syncline/redis';
import {
  connect,
  freshPrefix,
  generateRows,
  redisUrl,
  replaceFile,
  startRedisServer,
  suiteLifetime,
  temporaryDirectory,
  until,
  writeConfig,
} from '@syncline/test/support';
import { beforeAll, describe, expect, test } from 'vitest';
import { startSyncline, syncline, synclineApart } from '../testing/syncline.ts';

const ROWS = generateRows({ count: 12 });

/** Starts a scheduler and a worker with two registries, one of which is missing. */
async function startSystem(lifetime: ReturnType<typeof suiteLifetime>) {
  const directory = await temporaryDirectory(lifetime);
  const file = path.join(directory, 'registry.json');
  const writeRows = (count: number) =>
    replaceFile(file, JSON.stringify({ servers: ROWS.slice(0, count), metadata: {} }));
  await writeRows(12);
  const config = await writeConfig(
    {
      registries: [
        { name: 'local', file: { path: file } },
        { name: 'missing', file: { path: path.join(directory, 'missing.json') } },
        { name: 'paused', file: { path: file }, suspended: true },
      ],
    },
    lifetime,
  );
  const prefix = freshPrefix({ lifetime });
  const env = { REDIS_URL: redisUrl(), SYNCLINE_PREFIX: prefix };
  const scheduler = await startSyncline(['scheduler', '--config', config.path], { env, lifetime });
  const worker = await startSyncline(['worker'], { env, lifetime });
  for (const started of [scheduler, worker])
    await started.waitForLog(({ msg }) => msg === 'started');
  const reader = createRegistryReader({
    redis: connect(redisUrl(), lifetime),
    keys: redisKeys(prefix),
  });
  const untilPhase = (name: string, phase: string) =>
    until(async () => (await read(name)).status.phase === phase, {
      what: `${name} to be ${phase}`,
    });
  const read = async (name: string) => {
    const found = (await reader.readMany([name])).registries.get(name);
    if (found === undefined) throw new Error(`${name} was not read`);
    return found;
  };
  const runApart = (...args: string[]) => synclineApart(args, { env });
  return {
    run: (...args: string[]) => syncline(args, { env }),
    runApart,
    read,
    untilPhase,
    writeRows,
    env,
  };
}

describe('on a running system', () => {
  const lifetime = suiteLifetime();
  let system: Awaited<ReturnType<typeof startSystem>>;
  beforeAll(async () => {
    system = await startSystem(lifetime);
    await system.untilPhase('local', 'Complete');
    await system.untilPhase('missing', 'Failed');
  });

  test('status shows a table, the details of one registry, or JSON', async () => {
    const table = await system.run('status');
    expect(table.code).toBe(0);
    expect(table.text).toMatch(/^REGISTRY +PHASE +SERVERS +VERSIONS /);
    expect(table.text).toMatch(/^local +Complete +\d+ +12 +\d+s /m);
    expect(table.text).toMatch(/^missing +Failed +0 +0 +never +(in \d+s|now) /m);
    expect(table.text).toMatch(/^paused +Pending .* suspended in the config/m);

    const details = await system.run('status', 'local');
    expect(details.text).toMatch(/^versions +12$/m);
    const json = await system.run('status', '--json');
    expect(JSON.parse(json.text)).toMatchObject([
      { name: 'local', status: { versionCount: 12 }, snapshot: expect.any(String) },
      { name: 'missing', snapshot: null },
      { name: 'paused', control: { suspendedBy: 'config' } },
    ]);
  });

  test('sync --wait ends with the requested run', async () => {
    expect(await system.run('sync', 'local', '--wait')).toMatchObject({
      code: 0,
      text: expect.stringMatching(/^local: unchanged in /),
    });
    expect(await system.run('sync', 'local', '--force', '--wait')).toMatchObject({ code: 0 });
    const runs = await system.run('runs', 'local', '--json', '--limit', '2');
    const [forced, asked] = runSchema.array().parse(JSON.parse(runs.text));
    expect(forced).toMatchObject({ trigger: 'manual', upstream: { requests: 1 } });
    expect(asked).toMatchObject({ trigger: 'manual', reason: 'manual-sync-no-data-changes' });
  });

  test('sync --wait of a registry that fails ends with 1', async () => {
    const { code, text } = await system.run('sync', 'missing', '--wait');
    expect({ code, text }).toEqual({
      code: 1,
      text: expect.stringMatching(/^error: missing: .+$/),
    });
  });

  test('sync does not wait without --wait', async () => {
    expect(await system.run('sync', 'local')).toMatchObject({
      code: 0,
      text: expect.stringMatching(/^local: request \d+ (queued|starts after the current run)$/),
    });
  });

  test('with --json a request and a run look as in the api', async () => {
    const asked = await system.runApart('sync', 'local', '--json');
    expect({ ...asked, stdout: JSON.parse(asked.stdout) }).toEqual({
      code: 0,
      stderr: '',
      stdout: {
        registry: 'local',
        request: expect.any(Number),
        state: expect.stringMatching(/^(queued|joined)$/),
      },
    });
    const good = await system.runApart('sync', 'local', '--wait', '--json');
    expect({ code: good.code, stderr: good.stderr }).toEqual({ code: 0, stderr: '' });
    expect(runSchema.parse(JSON.parse(good.stdout))).toMatchObject({ outcome: 'unchanged' });

    const bad = await system.runApart('sync', 'missing', '--wait', '--json');
    expect(bad.code).toBe(1);
    expect(runSchema.parse(JSON.parse(bad.stdout))).toMatchObject({ outcome: 'failed' });
    expect(JSON.parse(bad.stderr)).toMatchObject({ error: { code: 'source-file-missing' } });
  });

  test('sync --all requests each registry that is not paused, and waits', async () => {
    const { code, stdout } = await system.runApart('sync', '--all', '--wait');
    expect(code).toBe(1);
    expect(stdout).toMatch(/^REGISTRY +OUTCOME +ROWS +CHANGES +TOOK +REASON$/m);
    expect(stdout).toMatch(/^local +unchanged /m);
    expect(stdout).toMatch(/^missing +failed /m);
    expect(stdout).toMatch(
      /^2 registries: 1 failed, 1 unchanged; skipped because they are suspended or pinned: paused$/m,
    );
    const asked = await system.runApart('sync', '--all', '--json');
    expect(asked.code).toBe(0);
    expect(JSON.parse(asked.stdout)).toMatchObject({
      requests: expect.arrayContaining([expect.objectContaining({ registry: 'missing' })]),
      suspended: ['paused'],
    });
    const json = await system.runApart('sync', '--all', '--wait', '--json');
    expect({ code: json.code, stderr: json.stderr }).toEqual({ code: 1, stderr: '' });
    expect(JSON.parse(json.stdout)).toMatchObject({
      runs: [{ registry: 'local' }, { registry: 'missing', outcome: 'failed' }],
      unanswered: [],
      suspended: ['paused'],
    });
  });

  test('suspend keeps a registry from being synced until resume', async () => {
    expect(await system.run('suspend', 'local', '--note', 'moving')).toMatchObject({ code: 0 });
    expect((await system.read('local')).control).toMatchObject({
      suspended: true,
      note: 'moving',
      author: userInfo().username,
      suspendedAt: expect.any(String),
    });
    await system.run('suspend', 'local', '--note', 'moving', '--author', 'ada');
    expect((await system.run('status', 'local')).text).toMatch(/suspended by ada: moving$/m);
    expect(await system.run('sync', 'local')).toMatchObject({
      code: 1,
      text: expect.stringContaining('local is suspended'),
    });
    expect(await system.run('resume', 'local')).toEqual({ code: 0, text: 'local: resumed' });
    expect((await system.read('local')).control).toMatchObject({ suspended: false });
    for (const [command, suspended] of [
      ['suspend', true],
      ['resume', false],
    ] as const) {
      const { stdout } = await system.runApart(command, 'local', '--json');
      expect(JSON.parse(stdout)).toMatchObject({ name: 'local', control: { suspended } });
    }
    expect(await system.run('resume', 'paused')).toMatchObject({
      code: 1,
      text: expect.stringContaining('the config suspends paused.'),
    });
  });

  test('approve publishes a held snapshot, and rollback undoes that', async () => {
    const { snapshot: before = '' } = (await system.read('local')).status;
    await system.writeRows(3);
    expect(await system.run('sync', 'local', '--wait')).toMatchObject({
      code: 0,
      text: expect.stringMatching(/^local: held in /),
    });
    const held = (await system.read('local')).status.held?.snapshot ?? '';
    expect(await system.run('approve', 'local', 'ffffffffffff')).toMatchObject({ code: 1 });
    expect(await system.run('approve', 'local', held.slice(0, 12))).toMatchObject({ code: 0 });
    const { status } = await system.read('local');
    expect({ snapshot: status.snapshot, held: status.held }).toEqual({ snapshot: held });

    expect(await system.run('rollback', 'local', before.slice(0, 12))).toMatchObject({ code: 0 });
    expect(await system.read('local')).toMatchObject({
      status: { snapshot: before },
      control: { pinned: before },
    });
    expect((await system.run('runs', 'local')).text).toContain(before.slice(0, 12));
    const again = await system.runApart('rollback', 'local', held.slice(0, 12), '--json');
    expect(JSON.parse(again.stdout)).toEqual({ snapshot: held });
    await system.run('resume', 'local');
  });

  test('a registry that the config does not name ends with 1', async () => {
    expect(await system.run('suspend', 'unknown')).toEqual({
      code: 1,
      text: 'error: the config has no registry unknown. Use one of local, missing, paused',
    });
  });

  test('status --watch shows each change', async () => {
    const watching = await startSyncline(['status', '--watch', '--json', 'local'], {
      env: system.env,
    });
    const sees = (note: string) =>
      until(() => watching.output.lines.some((line) => line.includes(note)), {
        what: note,
      });
    await sees('"note":null');
    await system.run('suspend', 'local', '--note', 'watched');
    await sees('"note":"watched"');
    await watching.kill('SIGTERM');
    await system.run('resume', 'local');
  });
});

test('without a known Redis, commands end with 2', async () => {
  const directory = await temporaryDirectory();
  for (const command of ['status', 'worker']) {
    expect(await syncline([command], { directory })).toEqual({
      code: 2,
      text: 'no Redis found: REDIS_URL is not set, and `syncline up` does not run with the data directory .syncline. Set REDIS_URL, or run `syncline up`',
    });
  }
});

test('an unreachable Redis is reported without its password', async () => {
  const redis = await startRedisServer();
  await redis.stop();
  const REDIS_URL = redis.url.replace('redis://', 'redis://user:hunter2@');
  const { code, text } = await syncline(['status'], { env: { REDIS_URL } });
  expect(code).toBe(1);
  expect(text).toMatch(
    /^error: cannot use the Redis server at redis:\/\/127\.0\.0\.1:\d+: .*ECONNREFUSED.*$/,
  );
});

test('a Redis without a config is reported', async () => {
  const env = { REDIS_URL: redisUrl(), SYNCLINE_PREFIX: freshPrefix() };
  expect(await syncline(['status'], { env })).toMatchObject({
    code: 2,
    text: expect.stringContaining('Redis has no config under this prefix'),
  });
});
