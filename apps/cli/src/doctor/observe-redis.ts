import { type Config, syncTargets } from '@syncline/contract';
import { type Redis, readQueueHealth, readServerInfo, redisNowMs } from '@syncline/redis';
import type { Store } from '../store.ts';
import type { InForceFacts } from './config-checks.ts';
import type { ProcessFacts } from './process-checks.ts';
import type { RedisFacts } from './redis-checks.ts';

const ROUND_TRIPS = 7;
/** Within this time each worker fleet takes a turn to sweep; one that pauses between turns has none. */
const SWEEP_SEEN_WITHIN_MS = 1_000;

export async function observeServer(redis: Redis, place: string): Promise<RedisFacts> {
  const times: number[] = [];
  for (let count = 0; count < ROUND_TRIPS; count += 1) {
    const startedAtMs = performance.now();
    await redis.ping();
    times.push(performance.now() - startedAtMs);
  }
  const roundTripMs = times.sort((a, b) => a - b)[Math.floor(ROUND_TRIPS / 2)] ?? 0;
  return { place, info: await readServerInfo(redis), roundTripMs };
}

/** How far this machine's clock goes before that of Redis, in milliseconds, within half a round trip. */
export async function observeClock(redis: Redis): Promise<number> {
  const beforeMs = Date.now();
  const redisMs = await redisNowMs(redis);
  return (beforeMs + Date.now()) / 2 - redisMs;
}

/** The config in force, and what there is to say of it. */
export async function observeInForce({
  redis,
  keys,
  config: follower,
}: Pick<Store, 'redis' | 'keys' | 'config'>): Promise<{
  facts: InForceFacts;
  config: Config | undefined;
}> {
  await follower.refresh();
  const config = follower.current();
  const digest = follower.digest();
  if (config !== undefined && digest !== undefined) {
    const registries = config.registries.length;
    return { facts: { state: 'good', digest, registries }, config };
  }
  const isThere = (await redis.exists(keys.config)) === 1;
  return { facts: { state: isThere ? 'unreadable' : 'none' }, config: undefined };
}

export async function observeProcesses(store: Store, config: Config): Promise<ProcessFacts> {
  const targets = syncTargets(config);
  const { views, nowMs } = await store.view(targets);
  let health = await readQueueHealth(store);
  const untilMs = performance.now() + SWEEP_SEEN_WITHIN_MS;
  while (health.workers === undefined && health.sweeper === undefined) {
    if (performance.now() > untilMs) break;
    health = await readQueueHealth(store);
  }
  return {
    nowMs,
    queue: health,
    registries: targets.map(({ name }) => name),
    failing: views.filter(({ status }) => status.phase === 'Failed').map(({ name }) => name),
  };
}
