import { expect, test } from 'vitest';
import { connect } from './redis.ts';
import { startReplicatedRedis } from './replicated-redis.ts';
import { until } from './until.ts';

test('the replica takes over from a killed primary, which comes back as the replica', async () => {
  const redis = await startReplicatedRedis();
  const first = await redis.primary();
  await connect(first.url).set('kept', '1');
  await redis.untilInSync();

  expect(await redis.killPrimary()).toBe(first);
  const second = await redis.untilFailedOver(first);
  expect(await connect(second.url).get('kept')).toBe('1');

  await first.start({ empty: true });
  await redis.untilInSync();
  expect(await redis.replica()).toBe(first);
  expect(await connect(first.url).get('kept')).toBe('1');
  await redis.killPrimary();
  expect(await redis.untilFailedOver(second)).toBe(first);
});

test('data written while replication is blocked is lost with the primary', async () => {
  const redis = await startReplicatedRedis({
    sentinels: 3,
    password: 'one',
    sentinelPassword: 'two',
  });
  const first = await redis.primary();
  const client = connect(first.url.replace('//', '//:one@'));
  await client.set('kept', '1');
  await redis.untilInSync();
  await redis.holdReplicaBack();
  for (let index = 0; index < 20; index += 1) await client.set(`lost-${index}`, '1');

  await redis.killPrimary();
  const second = await redis.untilFailedOver(first);
  const other = connect(second.url.replace('//', '//:one@'));
  expect(await other.keys('*')).toEqual(['kept']);

  await first.start();
  await redis.untilInSync();
  const back = connect(first.url.replace('//', '//:one@'));
  await until(async () => (await back.keys('*')).join() === 'kept', {
    what: 'the same keys on both servers',
  });
});

test('the replica takes over from a primary that hangs', async () => {
  const redis = await startReplicatedRedis();
  const first = await redis.primary();
  first.pause();
  const second = await redis.untilFailedOver(first);
  expect(await redis.replica()).toBe(first);
  await connect(second.url).set('taken', '1');
});
