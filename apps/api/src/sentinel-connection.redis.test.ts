import { once } from 'node:events';
import { type AddressInfo, connect as connectSocket, createServer, type Socket } from 'node:net';
import { connectRedis } from '@syncline/redis';
import { connect, freePort, startReplicatedRedis, until } from '@syncline/test/support';
import { expect, onTestFinished, test } from 'vitest';

function connectIn(manner: 'patient' | 'prompt', url: string) {
  const errors: string[] = [];
  const redis = connectRedis({
    url,
    manner,
    commandTimeoutMs: 300,
    onError: ({ message }) => errors.push(message),
  });
  onTestFinished(() => redis.disconnect());
  return { redis, errors };
}

type Client = ReturnType<typeof connectIn>['redis'];

const portOf = async (redis: Client) => /tcp_port:(\d+)/.exec(await redis.info('server'))?.[1];

const untilAt = (redis: Client, port: number) =>
  until(async () => (await portOf(redis)) === String(port), { what: `a connection to ${port}` });

test('when the primary is killed, patient commands wait for the next one, and prompt ones fail', async () => {
  const servers = await startReplicatedRedis();
  const { redis: patient } = connectIn('patient', servers.url);
  const { redis: prompt } = connectIn('prompt', servers.url);
  const blocking = patient.duplicate();
  onTestFinished(() => blocking.disconnect());
  blocking.on('error', () => {});
  await patient.set('kept', '1');
  await prompt.ping();
  await blocking.ping();
  await servers.untilInSync();

  // A command that already waits, and new commands, while there is no primary.
  const waited = blocking.blpop('list', 0);
  waited.catch(() => {});
  const first = await servers.killPrimary();
  const counted = patient.incr('count');
  await until(() => prompt.status !== 'ready', { what: 'the connection to be lost' });
  await expect(prompt.incr('count')).rejects.toThrow(/isn't writeable/);

  const second = await servers.untilFailedOver(first);
  expect(await counted).toBe(1);
  expect(await patient.get('kept')).toBe('1');
  await untilAt(prompt, second.port);
  await prompt.rpush('list', 'element');
  expect(await waited).toEqual(['list', 'element']);
});

test('connections move to the new primary when the old one hangs or steps back', async () => {
  const servers = await startReplicatedRedis({ password: 'p@ss/1', sentinelPassword: 'p@ss+2' });
  const { redis: patient } = connectIn('patient', servers.url);
  const { redis: prompt } = connectIn('prompt', servers.url);
  await patient.ping();
  await prompt.ping();
  const first = await servers.primary();
  first.pause();
  const counted = patient.incr('count');
  await expect(prompt.incr('other')).rejects.toThrow(/Command timed out|max retries/);

  const second = await servers.untilFailedOver(first);
  expect(await counted).toBe(1);
  await untilAt(prompt, second.port);

  await first.kill();
  await first.start();
  await servers.untilInSync();
  await servers.stepBack();
  await servers.untilFailedOver(second);
  await untilAt(prompt, first.port);
  await untilAt(patient, first.port);
  await patient.set('written', '1');
});

test('one sentinel that answers is enough, and a closed connection leaves no subscription behind', async () => {
  const servers = await startReplicatedRedis();
  const [sentinel] = servers.sentinels;
  if (sentinel === undefined) throw new Error('there is one');
  const dead = `127.0.0.1:${await freePort()}`;
  const url = servers.url.replace('127.0.0.1', `${dead},127.0.0.1`);
  const { redis, errors } = connectIn('prompt', url);
  await redis.ping();
  expect(errors).toEqual([expect.stringContaining(`failed to connect to sentinel ${dead}`)]);

  const direct = connect(`redis://127.0.0.1:${sentinel.port}`);
  const listening = async () =>
    String(await direct.client('LIST'))
      .split('\n')
      .filter((line) => line.includes('cmd=subscribe')).length;
  await until(async () => (await listening()) === 1, { what: 'a subscription at the sentinel' });
  redis.disconnect();
  for (const status of ['connecting', 'connect', 'ready'] as const) {
    const { redis: another } = connectIn('patient', url);
    if (status !== 'connecting')
      await new Promise<void>((resolve) => another.once(status, resolve));
    another.disconnect();
  }
  await until(async () => (await listening()) === 0, { what: 'no subscription at the sentinel' });
});

test('unreachable sentinels, and an unknown master name, are reported', async () => {
  const away = connectIn('prompt', `redis+sentinel://127.0.0.1:${await freePort()}/main`);
  await expect(away.redis.ping()).rejects.toThrow('Command timed out');
  expect(away.errors).toContainEqual(expect.stringContaining('All sentinels are unreachable'));

  const servers = await startReplicatedRedis();
  const unknown = connectIn('prompt', `${servers.url}-of-another-name`);
  await expect(unknown.redis.ping()).rejects.toThrow('Command timed out');
  expect(unknown.errors).toContainEqual(
    expect.stringMatching(/because ERR No such master with that name$/),
  );
});

test('a connection that is closed while it reconnects to a sentinel causes no uncaught rejection', async () => {
  const servers = await startReplicatedRedis();
  const [sentinel] = servers.sentinels;
  if (sentinel === undefined) throw new Error('there is one');
  // A proxy between us and the sentinel: it drops the second subscription, and forwards everything else.
  const requests: Socket[] = [];
  const between = createServer((near) => {
    const far = connectSocket(sentinel.port, '127.0.0.1');
    far.on('error', () => {}).pipe(near.on('error', () => {}));
    near.on('data', (bytes) => {
      const isRequest = /subscribe/i.test(bytes.toString());
      if (isRequest) requests.push(near);
      if (!isRequest || requests.length === 1) far.write(bytes);
    });
    near.once('close', () => far.destroy());
  });
  onTestFinished(() => void between.close());
  between.listen(0, '127.0.0.1');
  await once(between, 'listening');
  const { port } = between.address() as AddressInfo;
  const { redis } = connectIn('patient', servers.url.replace(/:\d+\//, `:${port}/`));
  await redis.ping();
  const direct = connect(sentinel.url);
  await until(async () => String(await direct.client('LIST')).includes('cmd=subscribe'), {
    what: 'a subscription at the sentinel',
  });

  const rejections: unknown[] = [];
  const onRejection = (reason: unknown) => rejections.push(reason);
  process.prependListener('unhandledRejection', onRejection);
  onTestFinished(() => void process.off('unhandledRejection', onRejection));
  requests[0]?.destroy();
  const again = await until(() => requests[1], { what: 'another subscription at the sentinel' });
  redis.disconnect();
  await once(again, 'close');
  // Our end closes after the other one. A few round trips give it time to do so.
  for (let turn = 0; turn < 5; turn += 1) await direct.ping();
  expect(rejections).toEqual([]);
});
