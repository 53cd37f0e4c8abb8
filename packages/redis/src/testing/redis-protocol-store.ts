import { countRequest } from '@syncline/contract';
import type { ProtocolStore } from '@syncline/sync/testing';
import { findNeglected } from '../recovery/sweeper.ts';
import { redisHarness, type TestRedis } from './test-redis.ts';

/** Returns the Redis ports for tests that play the protocol. */
export function redisProtocolStore(test: TestRedis): ProtocolStore {
  const { redis, keys } = test;
  return {
    ...redisHarness(test),
    request: async (registry, { force }) => {
      await countRequest({ redis, keys }, { registry, force });
    },
    resume: async (registry) => {
      await redis.hdel(keys.control(registry), 'suspended', 'pinned');
    },
    loseData: async (registry) => {
      await redis.unlink(keys.allOfRegistry(registry));
      await redis.hdel(keys.storedBytes, registry, '');
    },
    sweep: async (registry) => {
      const [found] = await findNeglected({ redis, keys }, [registry]);
      return {
        ...(found?.term === undefined ? {} : { interruptedTerm: found.term }),
        ...(found?.request === undefined ? {} : { openRequest: found.request }),
      };
    },
  };
}
