import { digestOf } from '@syncline/contract';
import { createRecordingLogger } from '@syncline/sync/testing';
import { expect, test, vi } from 'vitest';
import { testConfig, testRedis } from '../testing/test-redis.ts';
import { createConfigFollower, publishConfig } from './config-store.ts';

const ALPHA = digestOf(testConfig('alpha'));
const BETA = digestOf(testConfig('beta'));

function createFollower() {
  const test = testRedis();
  const logger = createRecordingLogger();
  const publish = (...names: string[]) => publishConfig(test, { input: testConfig(...names) });
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
  await publish('alpha');
  await follower.refresh();
  expect(follower.digest()).toBe(ALPHA);
  expect(follower.registry('alpha')).toMatchObject({
    name: 'alpha',
    syncPolicy: { interval: 3_600_000 },
  });
  await publish('beta', 'gamma');
  expect(follower.digest()).toBe(ALPHA);
  await follower.refresh();
  expect(follower.current()?.registries.map(({ name }) => name)).toEqual(['beta', 'gamma']);
  expect(follower.registry('alpha')).toBeUndefined();
});

test('a replaced config expires after a while, and the config in force does not', async () => {
  const { publish, redis, keys } = createFollower();
  await publish('alpha');
  await publish('beta');
  expect(await redis.ttl(keys.configDocument(ALPHA))).toBeGreaterThan(3_000);
  expect(await redis.ttl(keys.configDocument(BETA))).toBe(-1);
  await publish('alpha');
  expect(await redis.ttl(keys.configDocument(ALPHA))).toBe(-1);
  await publish('alpha');
  expect(await redis.ttl(keys.configDocument(ALPHA))).toBe(-1);
});

test('a Redis that lost its data does not make a process drop registries', async () => {
  const { follower, publish, redis, keys } = createFollower();
  await publish('alpha');
  await follower.refresh();
  await redis.del(keys.config, keys.configDocument(ALPHA));
  await follower.refresh();
  expect(follower.registry('alpha')).toBeDefined();
  // The pointer alone is not enough either.
  await redis.set(keys.config, 'lost');
  await follower.refresh();
  expect(follower.digest()).toBe(ALPHA);
});

test('a config that this build does not know is rejected with one log entry, and the last valid config stays in force', async () => {
  const { follower, publish, redis, keys, logger } = createFollower();
  await publish('alpha');
  await follower.refresh();
  const unknown = { registries: [{ name: 'x', queue: {} }] };
  await redis.set(keys.configDocument(digestOf(unknown)), JSON.stringify(unknown));
  await redis.set(keys.config, digestOf(unknown));
  await follower.refresh();
  await follower.refresh();
  expect(follower.digest()).toBe(ALPHA);
  expect(follower.registry('alpha')).toBeDefined();
  expect(logger.entries.filter(({ level }) => level === 'error')).toHaveLength(1);
  await publish('beta');
  await follower.refresh();
  expect(follower.digest()).toBe(BETA);
});

test.each([
  ['another config', JSON.stringify(testConfig('planted'))],
  ['invalid JSON', '{'],
  ['an empty text', ''],
])(
  '%s in place of a document is refused with one log entry, until the document is restored',
  async (_what, planted) => {
    const { follower, publish, redis, keys, logger } = createFollower();
    await publish('alpha');
    await follower.refresh();
    await publish('beta');
    await redis.set(keys.configDocument(BETA), planted);
    await follower.refresh();
    await follower.refresh();
    expect(follower.digest()).toBe(ALPHA);
    expect(follower.registry('planted')).toBeUndefined();
    expect(logger.entries.filter(({ level }) => level === 'error')).toMatchObject([
      { fields: { code: 'store-corrupt', reason: expect.stringContaining(BETA) } },
    ]);
    // A process that starts now must not follow the planted config either.
    const fresh = createConfigFollower({ redis, keys, logger });
    await fresh.refresh();
    expect(fresh.current()).toBeUndefined();
    await publish('beta');
    await follower.refresh();
    expect(follower.digest()).toBe(BETA);
  },
);

test('a document may have its members in another order', async () => {
  const { follower, redis, keys } = createFollower();
  const text = '{"registries":[{"file":{"path":"/registries/alpha.json"},"name":"alpha"}]}';
  await redis.mset(keys.configDocument(ALPHA), text, keys.config, ALPHA);
  await follower.refresh();
  expect(follower.digest()).toBe(ALPHA);
});

test('many refreshes at once share their reads, and each sees what was published before it', async () => {
  const { follower, publish, redis } = createFollower();
  await publish('alpha');
  const get = vi.spyOn(redis, 'get');
  const first = follower.refresh();
  await publish('beta');
  await Promise.all(Array.from({ length: 100 }, () => follower.refresh()));
  expect(follower.digest()).toBe(BETA);
  await first;
  expect(get.mock.calls.length).toBeLessThan(10);
});
