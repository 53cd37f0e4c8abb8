import type { RedisServerHandle } from '../../support/redis-server.ts';
import type { ReplicatedRedis } from '../../support/replicated-redis.ts';
import type { Outages } from './outages.ts';

/** Kills of a Redis that is started again at once, as a supervisor does, from its append-only file. */
export function restartsOf(redis: RedisServerHandle): Outages {
  return {
    url: redis.url,
    strike: async () => {
      const killedAtMs = Date.now();
      await redis.kill();
      const endedAtMs = Date.now();
      await redis.start();
      return { killedAtMs, endedAtMs, backAtMs: Date.now() };
    },
    mend: async () => {},
  };
}

/** Kills of a primary, which the sentinels replace by its replica. */
export function failoversOf(redis: ReplicatedRedis): Outages {
  let killed: RedisServerHandle | undefined;
  return {
    url: redis.url,
    strike: async () => {
      const killedAtMs = Date.now();
      killed = await redis.killPrimary();
      const endedAtMs = Date.now();
      await redis.untilFailedOver(killed);
      return { killedAtMs, endedAtMs, backAtMs: Date.now() };
    },
    mend: async () => {
      await killed?.start();
      await redis.untilInSync();
    },
  };
}
