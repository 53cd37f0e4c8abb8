import type { Lifetime } from '../../support/lifetime.ts';
import { startRedisServer } from '../../support/redis-server.ts';
import { startReplicatedRedis } from '../../support/replicated-redis.ts';
import type { Benchmark, BenchmarkContext, Figure } from '../benchmark.ts';
import { median, quantile } from '../measure/statistics.ts';
import {
  type OutageOptions,
  type Outages,
  outlastOutages,
  outlastOutagesBare,
  type Recovery,
} from './outages.ts';
import { failoversOf, restartsOf } from './redis-outages.ts';
import { killBareWorkers, killSynclineWorkers } from './worker-kills.ts';

const KILLS = { rounds: 5, kills: 10 };
const BARE_KILLS = { rounds: 1, kills: 20 };
const RESTARTS = 10;
const FAILOVERS = 5;
/** The recommended number; more sentinels have to agree than with one. */
const SENTINELS = 3;

/** The limits in seconds: leases of 12 and a sweep each 4, with some reserve. */
const AFTER_WORKER_KILL_S = 20;
const AFTER_RESTART_S = 3;
/** Sentinels wait for 1.5 before they consider a primary gone. */
const AFTER_FAILOVER_S = 6;

/** How soon work continues after a process or Redis was killed. */
export const recovery: Benchmark = {
  name: 'recovery',
  about: 'from a SIGKILL to the next run, against BullMQ alone, both at their default settings',
  run: async (context) => [
    ...(await afterWorkerKills(context)),
    ...(await afterRestarts(context)),
    ...(await afterFailovers(context)),
  ],
};

async function afterWorkerKills({ log }: BenchmarkContext): Promise<readonly Figure[]> {
  await using lifetime = new AsyncDisposableStack();
  const redis = await startRedisServer({ lifetime });
  const logAs = (kind: string) => (line: string) => log(`worker killed, ${kind}: ${line} s`);
  const syncline = await killSynclineWorkers({ redis, ...KILLS, log: logAs('syncline') });
  const baseline = await killBareWorkers({ redis, ...BARE_KILLS, log: logAs('baseline') });
  const figure = (name: string, of: (seconds: readonly number[]) => number): Figure => ({
    what: `worker killed: until its registry is run again, ${name}`,
    unit: 's',
    baseline: of(baseline),
    syncline: of(syncline),
  });
  return [
    figure('median', median),
    {
      ...figure('99 %', (seconds) => quantile(seconds, 0.99)),
      wantedBelow: AFTER_WORKER_KILL_S,
    },
    figure('most', (seconds) => Math.max(...seconds)),
  ];
}

async function afterRestarts(context: BenchmarkContext): Promise<readonly Figure[]> {
  const measured = await outlastBoth(context, {
    title: 'Redis killed and restarted',
    count: RESTARTS,
    start: async (lifetime) => restartsOf(await startRedisServer({ lifetime })),
  });
  const figure = figureOf('Redis killed and restarted: until the next tick is run', measured);
  const sinceBack = ({ sinceBack: seconds }: Recovery) => seconds;
  return [
    figure('median', sinceKill, median),
    figure('most', sinceKill, most),
    figure('median, from when it is back', sinceBack, median),
    { ...figure('most, from when it is back', sinceBack, most), wantedBelow: AFTER_RESTART_S },
  ];
}

async function afterFailovers(context: BenchmarkContext): Promise<readonly Figure[]> {
  const measured = await outlastBoth(context, {
    title: 'primary killed',
    count: FAILOVERS,
    start: async (lifetime) =>
      failoversOf(await startReplicatedRedis({ sentinels: SENTINELS, lifetime })),
  });
  const figure = figureOf('primary killed, failed over: until the next tick is run', measured);
  return [
    figure('median', sinceKill, median),
    { ...figure('most', sinceKill, most), wantedBelow: AFTER_FAILOVER_S },
  ];
}

interface Measured {
  readonly baseline: readonly Recovery[];
  readonly syncline: readonly Recovery[];
}

async function outlastBoth(
  { log }: BenchmarkContext,
  {
    title,
    count,
    start,
  }: { title: string; count: number; start: (lifetime: Lifetime) => Promise<Outages> },
): Promise<Measured> {
  const measure = async (
    kind: string,
    outlast: (options: OutageOptions) => Promise<readonly Recovery[]>,
  ) => {
    await using lifetime = new AsyncDisposableStack();
    const outages = await start(lifetime);
    const logAs = (line: string) => log(`${title}, ${kind}: ${line}`);
    return await outlast({ outages, count, lifetime, log: logAs });
  };
  return {
    syncline: await measure('syncline', outlastOutages),
    baseline: await measure('baseline', outlastOutagesBare),
  };
}

function figureOf(title: string, { baseline, syncline }: Measured) {
  return (
    name: string,
    secondsOf: (recovery: Recovery) => number,
    of: (seconds: readonly number[]) => number,
  ): Figure => ({
    what: `${title}, ${name}`,
    unit: 's',
    baseline: of(baseline.map(secondsOf)),
    syncline: of(syncline.map(secondsOf)),
  });
}

const sinceKill = ({ sinceKill: seconds }: Recovery) => seconds;
const most = (seconds: readonly number[]) => Math.max(...seconds);
