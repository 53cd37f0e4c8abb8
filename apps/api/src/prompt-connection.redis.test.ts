import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { connectRedis } from '@syncline/redis';
import { startRedisServer, until } from '@syncline/test/support';
import { expect, onTestFinished, test } from 'vitest';

function connectPromptly(url: string) {
  const redis = connectRedis({ url, manner: 'prompt', commandTimeoutMs: 2_000, onError: () => {} });
  onTestFinished(() => redis.disconnect());
  return redis;
}

test('a prompt connection abandons a command to a Redis that hangs, and does not send it again', async () => {
  const server = await startRedisServer();
  const redis = connectPromptly(server.url);
  await redis.ping();
  server.pause();
  await expect(redis.incr('count')).rejects.toThrow(/Command timed out|max retries/);
  // The connection is given up too: the next command is not sent at all.
  await until(() => redis.status !== 'ready', { what: 'the connection to be given up' });
  await expect(redis.incr('count')).rejects.toThrow(/isn't writeable/);
  server.resume();
  await until(() => redis.status === 'ready', { what: 'a new connection' });
  // Redis may execute the command that was in the old socket, at most once.
  expect(Number(await redis.get('count'))).toBeLessThanOrEqual(1);
});

test('a prompt connection fails a command to a Redis that accepts connections and never answers', async () => {
  const sockets = new Set<Socket>();
  const silent = createServer((socket) => sockets.add(socket)).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    silent.close();
  });
  const address = silent.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const redis = connectPromptly(`redis://127.0.0.1:${port}`);
  await expect(redis.get('a')).rejects.toThrow(/Command timed out|max retries/);
  await until(() => sockets.size >= 3, { what: 'new connections' });
});
