import { createRecordingLogger } from '@syncline/sync/testing';
import { expect, test } from 'vitest';
import { testConfig, testRedis } from '../testing/test-redis.ts';
import { createConfigFollower, publishConfig } from './config-store.ts';

function createFollower() {
  const test = testRedis();
  const logger = createRecordingLogger();
  const publish = (digest: string, ...names: string[]) =>
    publishConfig(test, { digest, input: testConfig(...names) });
  return { ...test, logger, publish, follower: createConfigFollower({ ...test, logger }) };
}

test('returns no config before one is published', async () => {
  const { follower } = createFollower();
  await follower.refresh();
  expect(follower.current()).toBeUndefined();
  expect(follower.registry('alpha')).toBeUndefined();
  expect(follower.digest()).toBeUndefined();
});

test('a follower returns the config that was published last', async () => {
  const { follower, publish } = createFollower();
  await publish('one', 'alpha');
  await follower.refresh();
  expect(follower.digest()).toBe('one');
  expect(follower.registry('alpha')).toMatchObject({
    name: 'alpha',
    syncPolicy: { interval: 3_600_000 },
  });
  await publish('two', 'beta', 'gamma');
  expect(follower.digest()).toBe('one');
  await follower.refresh();
  expect(follower.current()?.registries.map(({ name }) => name)).toEqual(['beta', 'gamma']);
  expect(follower.registry('alpha')).toBeUndefined();
});

test('a replaced config expires after a while, and the config in force does not', async () => {
  const { publish, redis, keys } = createFollower();
  await publish('one', 'alpha');
  await publish('two', 'beta');
  expect(await redis.ttl(keys.configDocument('one'))).toBeGreaterThan(3_000);
  expect(await redis.ttl(keys.configDocument('two'))).toBe(-1);
  await publish('one', 'alpha');
  expect(await redis.ttl(keys.configDocument('one'))).toBe(-1);
  await publish('one', 'alpha');
  expect(await redis.ttl(keys.configDocument('one'))).toBe(-1);
});

test('a Redis that lost its data does not make a process drop registries', async () => {
  const { follower, publish, redis, keys } = createFollower();
  await publish('one', 'alpha');
  await follower.refresh();
  await redis.del(keys.config, keys.configDocument('one'));
  await follower.refresh();
  expect(follower.registry('alpha')).toBeDefined();
  // The pointer alone is not enough either.
  await redis.set(keys.config, 'lost');
  await follower.refresh();
  expect(follower.digest()).toBe('one');
});

test.each([
  ['invalid JSON', '{'],
  ['a config that this build does not know', '{"registries":[{"name":"x","queue":{}}]}'],
])(
  '%s is rejected with one log entry, and the last valid config stays in force',
  async (_what, document) => {
    const { follower, publish, redis, keys, logger } = createFollower();
    await publish('one', 'alpha');
    await follower.refresh();
    await redis.set(keys.configDocument('bad'), document);
    await redis.set(keys.config, 'bad');
    await follower.refresh();
    await follower.refresh();
    expect(follower.digest()).toBe('one');
    expect(follower.registry('alpha')).toBeDefined();
    expect(logger.entries.filter(({ level }) => level === 'error')).toHaveLength(1);
    await publish('two', 'beta');
    await follower.refresh();
    expect(follower.digest()).toBe('two');
  },
);
