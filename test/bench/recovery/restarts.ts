import type { RedisServerHandle } from '../../support/index.ts';
import type { Outages } from './outages.ts';

/** Kills of a Redis that is started again at once, as a supervisor does, from its append-only file. */
export function restartsOf(redis: RedisServerHandle): Outages {
  return {
    url: redis.url,
    strike: async () => {
      const goneAtMs = Date.now();
      await redis.kill();
      await redis.start();
      return { goneAtMs, backAtMs: Date.now() };
    },
  };
}
