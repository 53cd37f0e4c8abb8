import type { RedisKeys } from '@syncline/contract';
import { createSyncQueue, type Redis, stateOfNextTick } from '@syncline/redis';

/** Something in Redis that no process will remove. */
export interface Remains {
  readonly what: string;
  readonly name: string;
}

/**
 * Returns the registries whose lease no process will end. Either the lease has run out, or its holder is gone.
 * The name of the holder contains its pid.
 */
export async function findDesertedLeases(
  redis: Redis,
  keys: RedisKeys,
  { registries, pids }: { registries: readonly string[]; pids: ReadonlySet<number> },
): Promise<string[]> {
  const [seconds = 0] = await redis.time();
  const leases = await Promise.all(
    registries.map((registry) => redis.hmget(keys.status(registry), 'owner', 'leaseUntil')),
  );
  return registries.filter((_, index) => {
    const [owner, leaseUntilMs] = leases[index] ?? [];
    if (owner == null) return false;
    const pid = Number(/-(\d+)-[0-9a-f]+$/.exec(owner)?.[1]);
    return !pids.has(pid) || Number(leaseUntilMs) < Number(seconds) * 1_000;
  });
}

/** Returns the registries whose next tick is scheduled. */
export async function findScheduled(redis: Redis, keys: RedisKeys): Promise<string[]> {
  const queue = createSyncQueue({ redis, keys, onError: () => {} });
  const schedulers = await queue.getJobSchedulers();
  const states = await Promise.all(
    schedulers.map(({ key }) => stateOfNextTick({ redis, queue }, key)),
  );
  return schedulers.flatMap(({ key }, index) => (states[index] === 'unknown' ? [] : [key]));
}

/** Returns what should not exist after all processes have stopped. */
export async function findRemains(
  redis: Redis,
  keys: RedisKeys,
  registries: readonly string[],
): Promise<Remains[]> {
  const owners = await Promise.all(
    registries.map((registry) => redis.hget(keys.status(registry), 'owner')),
  );
  const leases = registries.filter((_, index) => owners[index] != null);
  const strays = await findStrayKeys(redis, keys, registries);
  return [
    ...leases.map((name) => ({ what: 'lease', name })),
    ...strays.map((name) => ({ what: 'key', name })),
  ];
}

/** Returns the keys that belong neither to a registry of the config nor to the system as a whole. */
async function findStrayKeys(
  redis: Redis,
  keys: RedisKeys,
  registries: readonly string[],
): Promise<string[]> {
  const known = new Set([
    ...registries.flatMap((registry) => keys.allOfRegistry(registry)),
    keys.config,
    keys.configEdition,
    keys.epoch,
    keys.registries,
    keys.storedBytes,
    keys.sweepTurn,
    keys.scheduler,
  ]);
  const digest = await redis.get(keys.config);
  if (digest !== null) known.add(keys.configDocument(digest));
  const isOfQueue = (key: string) =>
    key.startsWith(`${keys.queuePrefix}:`) && !key.endsWith(':lock');
  const all: string[] = [];
  for await (const page of redis.scanStream({ count: 1_000 })) all.push(...page);
  const strays = all.filter((key) => !known.has(key) && !isOfQueue(key));
  // A key that expires is not left behind. The lock of a job expires too if its worker died or never received
  // the job. Then another worker takes the job.
  const lifetimesMs = await Promise.all(strays.map((key) => redis.pttl(key)));
  return strays.filter((_, index) => lifetimesMs[index] === -1);
}
