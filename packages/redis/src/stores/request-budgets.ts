import type { NetworkConfig } from '@syncline/contract';
import type { RequestBudgets } from '@syncline/sources';
import { createRequestBudgets, type PlaceStore } from '@syncline/sources/request-budgets';
import { z } from 'zod';
import { type KeyAccess, luaScript } from '../lua/lua-script.ts';

const takePlaceScript = luaScript('take-place');
const reply = z.union([
  z.tuple([z.literal('taken'), z.coerce.number()]),
  z.tuple([z.literal('full')]),
  z.tuple([z.literal('late'), z.coerce.number()]),
]);

export interface RedisRequestBudgetsOptions extends KeyAccess {
  /** Returns `network.budgets` of the current config. */
  readonly budgets: () => NetworkConfig['budgets'];
  /** Default: the default of {@link createRequestBudgets}. */
  readonly longestWaitMs?: number;
}

/** Creates budgets that all processes on one Redis share. Redis's clock gives the times. */
export function createRedisRequestBudgets({
  redis,
  keys,
  ...options
}: RedisRequestBudgetsOptions): RequestBudgets {
  const store: PlaceStore = {
    async tryTake({ host, concurrency = 0, requestsPerSecond }, wanted) {
      const gapUs = requestsPerSecond === undefined ? 0 : Math.ceil(1e6 / requestsPerSecond);
      const answer = await takePlaceScript(
        redis,
        [keys.requestPlaces(host), keys.lastRequest(host)],
        [wanted.place, concurrency, gapUs, wanted.longestWaitMs, wanted.holdMs],
      );
      const [state, waitMs] = reply.parse(answer);
      return state === 'full' ? { state } : { state, waitMs };
    },
    async release(host, place) {
      await redis.zrem(keys.requestPlaces(host), place).catch(() => {});
    },
  };
  return createRequestBudgets({ ...options, store });
}
