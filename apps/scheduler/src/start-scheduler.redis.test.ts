import { redisKeys } from '@syncline/contract';
import { createLogger, type Logger, type Service } from '@syncline/runtime';
import {
  connect,
  processContext,
  startRedisServer,
  testRedis,
  until,
  writeConfig,
} from '@syncline/test/support';
import { expect, onTestFinished, test } from 'vitest';
import { startScheduler } from './start-scheduler.ts';

async function start(
  env: { redisUrl: string; prefix: string; configPath: string },
  logger?: Logger,
): Promise<Service> {
  const context = processContext('scheduler', env);
  const scheduler = await startScheduler({ ...context, logger: logger ?? context.logger });
  onTestFinished(() => scheduler.stop());
  return scheduler;
}

const registry = (name: string) => ({ name, file: { path: `/${name}.json` } });

test('the scheduler follows changes of the config file', async () => {
  const { client, url: redisUrl, prefix } = testRedis();
  const schedules = async () =>
    (
      await client.zrange(`${redisKeys(prefix).queuePrefix}:registry-sync:repeat`, '0', '-1')
    ).sort();
  const config = await writeConfig({ registries: [registry('alpha')] });
  const scheduler = await start({ redisUrl, prefix, configPath: config.path });
  await until(async () => (await scheduler.readiness()).ready, { what: 'readiness' });
  expect(await schedules()).toEqual(['alpha']);

  await config.replace({ registries: [registry('alpha'), registry('beta')] });
  await until(async () => (await schedules()).length === 2, { what: 'the second registry' });
  expect(await schedules()).toEqual(['alpha', 'beta']);
});

test('the scheduler writes a sign of life, which expires', async () => {
  const { client, url: redisUrl, prefix } = testRedis();
  const config = await writeConfig({ registries: [registry('alpha')] });
  await start({ redisUrl, prefix, configPath: config.path });
  const key = redisKeys(prefix).scheduler;
  const owner = await until(() => client.get(key), { what: 'a sign of life of the scheduler' });
  expect(owner).toContain(String(process.pid));
  expect(await client.pttl(key)).toBeGreaterThan(0);
});

test('settings that do not apply are logged at the start and at each change of the config', async () => {
  const { url: redisUrl, prefix } = testRedis();
  const logged: string[] = [];
  const destination = { write: (line: string) => void logged.push(line) };
  const logger = createLogger({ name: 'scheduler', level: 'warn', pretty: false, destination });
  const { path: configPath, replaceText } = await writeConfig({ registries: [registry('alpha')] });
  await replaceText(JSON.stringify({ sources: [registry('alpha')], database: { host: 'x' } }));
  await start({ redisUrl, prefix, configPath }, logger);
  expect(logged).toEqual([expect.stringContaining('database: has no effect')]);
  await replaceText(JSON.stringify({ sources: [registry('beta')], auth: { mode: 'oauth' } }));
  await until(() => logged.some((line) => line.includes('auth: has no effect')), {
    what: 'the warning',
  });
});

test('a config that is invalid at the start is rejected before anything is written', async () => {
  const { client, url: redisUrl, prefix } = testRedis();
  const { path: configPath, replaceText } = await writeConfig({ registries: [registry('alpha')] });
  await replaceText('registries: []');
  await expect(start({ redisUrl, prefix, configPath })).rejects.toThrow();
  expect(await client.exists(redisKeys(prefix).config)).toBe(0);
});

test('the scheduler writes its schedules at once to a Redis that comes back empty', async () => {
  const server = await startRedisServer();
  const { path: configPath } = await writeConfig({ registries: [registry('alpha')] });
  const scheduler = await start({ redisUrl: server.url, prefix: 'syncline', configPath });
  await until(async () => (await scheduler.readiness()).ready, { what: 'readiness' });
  await server.kill();
  await until(async () => !(await scheduler.readiness()).ready, {
    what: 'the scheduler to notice that Redis is away',
  });
  await server.start({ empty: true });
  const client = connect(server.url);
  await until(
    async () => (await client.zcard('{syncline:queue}:registry-sync:repeat')) === 1,
    // Long before the next pass is due.
    { what: 'the schedules', timeoutMs: 15_000 },
  );
});

test('a scheduler stops even while Redis is away', async () => {
  const server = await startRedisServer();
  const { path: configPath } = await writeConfig({ registries: [registry('alpha')] });
  const scheduler = await start({ redisUrl: server.url, prefix: 'syncline', configPath });
  await until(async () => (await scheduler.readiness()).ready, { what: 'readiness' });
  await server.kill();
  await scheduler.stop();
});
