import { describeRequestBudgets } from '@syncline/sources/testing';
import {
  describeRunStore,
  describeSnapshotStore,
  describeStatusPersistence,
} from '@syncline/sync/testing';
import { redisHarness, testRedis } from '../testing/test-redis.ts';
import { createRedisRequestBudgets } from './request-budgets.ts';

describeRunStore('the Redis run store', async () => redisHarness());
describeSnapshotStore('the Redis snapshot store', async () => redisHarness());
describeStatusPersistence('the Redis status persistence', async () => redisHarness().status);
describeRequestBudgets('the Redis request budgets', async () => {
  const { redis, keys } = testRedis();
  return (options) => createRedisRequestBudgets({ redis, keys, ...options });
});
