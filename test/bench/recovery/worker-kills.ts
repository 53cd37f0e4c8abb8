import { setTimeout as sleep } from 'node:timers/promises';
import type { ConfigInput } from '@syncline/contract';
import type { Queue } from 'bullmq';
import type { Lifetime } from '../../support/lifetime.ts';
import type { ProcessHandle } from '../../support/processes.ts';
import { freshPrefix } from '../../support/redis.ts';
import type { RedisServerHandle } from '../../support/redis-server.ts';
import { until } from '../../support/until.ts';
import type { BenchmarkContext } from '../benchmark.ts';
import { addTicks, openQueue } from '../measure/queue.ts';
import { benchSyncline } from '../measure/syncline.ts';
import { type HeldUpstream, startHeldUpstream } from './held-upstream.ts';
import { startBareWorker } from './start-bare-worker.ts';

/** They outlive the others, and take over. */
const SURVIVORS = 2;
const SURVIVOR_CONCURRENCY = 16;
const STARTED_AT_ONCE = 3;
/** Started at random up to this long apart, so that leases and locks are not all renewed at once. */
const TICKS_APART_MS = 900;
const LEAST_RUN_MS = 500;
const TAKEN_OVER_WITHIN_MS = 240_000;

export interface KillOptions {
  readonly redis: RedisServerHandle;
  readonly rounds: number;
  /** How many are killed in each. */
  readonly kills: number;
  readonly log: BenchmarkContext['log'];
}

/**
 * Kills workers of Syncline in the middle of a run. Returns for each kill the seconds until another worker ran the
 * registry.
 */
export function killSynclineWorkers(options: KillOptions): Promise<readonly number[]> {
  // From one renewal of the lease to the next: the kill is equally likely at any moment of that.
  return killInRounds(options, { spreadMs: 4_000, startFleet: startSyncline });
}

/** The same for workers of BullMQ, in the middle of a job. */
export function killBareWorkers(options: KillOptions): Promise<readonly number[]> {
  // From one check for stalled jobs to the next.
  return killInRounds(options, { spreadMs: 30_000, startFleet: startBare });
}

/** Workers, and the queue that they take from. */
interface Fleet {
  readonly queue: Queue;
  startWorker(options: { readonly concurrency: number }): Promise<ProcessHandle>;
  isRunning(worker: ProcessHandle, registry: string): Promise<boolean>;
}

interface FleetOptions {
  readonly redis: RedisServerHandle;
  readonly upstream: HeldUpstream;
  readonly registries: readonly string[];
  readonly lifetime: Lifetime;
}

interface Kind {
  /** Kills come at random within this time. */
  readonly spreadMs: number;
  startFleet(options: FleetOptions): Promise<Fleet>;
}

async function killInRounds(
  { redis, rounds, kills, log }: KillOptions,
  { spreadMs, startFleet }: Kind,
): Promise<readonly number[]> {
  const registries = Array.from({ length: kills }, (_, index) => `registry-${index}`);
  const all: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    await using lifetime = new AsyncDisposableStack();
    const upstream = await startHeldUpstream(registries, lifetime);
    const fleet = await startFleet({ redis, upstream, registries, lifetime });
    const seconds = await killAll(fleet, { upstream, registries, spreadMs });
    log(seconds.map((value) => value.toFixed(1)).join(' '));
    all.push(...seconds);
  }
  return all;
}

async function killAll(
  fleet: Fleet,
  options: {
    readonly upstream: HeldUpstream;
    readonly registries: readonly string[];
    readonly spreadMs: number;
  },
): Promise<readonly number[]> {
  const { upstream, registries, spreadMs } = options;
  const victims = await startWorkers(fleet, { count: registries.length, concurrency: 1 });
  for (const registry of registries) {
    await addTicks(fleet.queue, [registry], 1);
    await until(() => upstream.arrivals(registry)[0], { what: `a run of ${registry}` });
    await sleep(TICKS_APART_MS * Math.random());
  }
  // Only now: before, they would take the ticks themselves.
  await startWorkers(fleet, { count: SURVIVORS, concurrency: SURVIVOR_CONCURRENCY });
  const kill = async (registry: string) => {
    const victim = await findRunner(fleet, victims, registry);
    await sleep(LEAST_RUN_MS + spreadMs * Math.random());
    const killedAtMs = performance.now();
    await victim.kill();
    const next = await until(() => upstream.arrivals(registry)[1], {
      what: `another run of ${registry}`,
      timeoutMs: TAKEN_OVER_WITHIN_MS,
    });
    return (next.atMs - killedAtMs) / 1_000;
  };
  return Promise.all(registries.map(kill));
}

/** A few at a time: on a busy small machine, many together would exceed their timeout. */
async function startWorkers(
  fleet: Fleet,
  { count, concurrency }: { readonly count: number; readonly concurrency: number },
): Promise<readonly ProcessHandle[]> {
  const workers: ProcessHandle[] = [];
  while (workers.length < count) {
    const few = Math.min(STARTED_AT_ONCE, count - workers.length);
    const starting = Array.from({ length: few }, () => fleet.startWorker({ concurrency }));
    workers.push(...(await Promise.all(starting)));
  }
  return workers;
}

async function findRunner(
  fleet: Fleet,
  victims: readonly ProcessHandle[],
  registry: string,
): Promise<ProcessHandle> {
  for (const victim of victims) if (await fleet.isRunning(victim, registry)) return victim;
  throw new Error(`nobody runs ${registry}`);
}

async function startSyncline(options: FleetOptions): Promise<Fleet> {
  const { redis, upstream, registries, lifetime } = options;
  const config: ConfigInput = {
    registries: registries.map((name) => ({
      name,
      api: { endpoint: `${upstream.url}/${name}` },
      // No tick of the schedule may repair what was left undone.
      syncPolicy: { interval: '1h' },
    })),
  };
  const syncline = await benchSyncline(redis, config, lifetime);
  return {
    queue: syncline.queue,
    startWorker: async ({ concurrency }) => (await syncline.startWorker({ concurrency })).process,
    isRunning: async ({ pid }, registry) => {
      const { owner = '' } = await syncline.status(registry);
      return owner.includes(`-${pid}-`);
    },
  };
}

async function startBare({ redis, upstream, lifetime }: FleetOptions): Promise<Fleet> {
  const { url } = redis;
  const prefix = freshPrefix({ url, lifetime });
  return {
    queue: openQueue(url, prefix, lifetime),
    startWorker: ({ concurrency }) =>
      startBareWorker({ redisUrl: url, prefix, concurrency, upstream: upstream.url, lifetime }),
    isRunning: async ({ pid }, registry) =>
      upstream.arrivals(registry)[0]?.target.endsWith(`?worker=${pid}`) === true,
  };
}
