import {
  describeRunStore,
  describeSnapshotStore,
  describeStatusPersistence,
} from '@syncline/sync/testing';
import { redisHarness } from './testing/test-redis.ts';

describeRunStore('the Redis run store', async () => redisHarness());
describeSnapshotStore('the Redis snapshot store', async () => redisHarness());
describeStatusPersistence('the Redis status persistence', async () => redisHarness().status);
