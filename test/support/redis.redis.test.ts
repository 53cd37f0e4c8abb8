import { expect, test } from 'vitest';
import { connect, keysOf, testRedis } from './redis.ts';
import { startRedisServer } from './redis-server.ts';
import { until } from './until.ts';

test('only the keys of a test are deleted at its end', async () => {
  await using ends = new AsyncDisposableStack();
  const { client, prefix, url } = testRedis({ lifetime: ends });
  const other = testRedis();
  await other.client.set(`${other.prefix}:kept`, '1');
  const keys = [`${prefix}:{r}:status`, `{${prefix}:queue}:registry-sync:wait`];
  for (const key of keys) await client.set(key, '1');
  expect(await keysOf(client, prefix)).toEqual(keys);
  await ends.disposeAsync();
  const later = connect(url);
  expect(await keysOf(later, prefix)).toEqual([]);
  expect(await keysOf(later, other.prefix)).toHaveLength(1);
});

test('a test can restart its own Redis server with its data or empty', async () => {
  const server = await startRedisServer();
  const client = connect(server.url);
  await client.set('kept', '1');
  await server.stop();
  await expect(client.get('kept')).rejects.toThrow();
  await server.start();
  expect(await until(() => client.get('kept'), { what: 'the value' })).toBe('1');
  await server.kill();
  await server.start({ empty: true });
  await until(async () => (await client.ping()) === 'PONG', { what: 'an answer' });
  expect(await client.get('kept')).toBeNull();
});
