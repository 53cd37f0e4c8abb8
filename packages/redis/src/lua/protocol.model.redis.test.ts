import { describeProtocol } from '@syncline/sync/testing';
import { redisProtocolStore } from '../testing/redis-protocol-store.ts';
import { testRedis } from '../testing/test-redis.ts';

describeProtocol('the Redis run store', () => redisProtocolStore(testRedis()));
