import { startRedisServer } from '../../support/index.ts';
import type { Benchmark, BenchmarkContext, Figure } from '../benchmark.ts';
import { quantile } from '../measure/statistics.ts';
import {
  type OutageOptions,
  outlastOutages,
  outlastOutagesBare,
  type Recovery,
} from './outages.ts';
import { restartsOf } from './restarts.ts';
import { killBareWorkers, killSynclineWorkers } from './worker-kills.ts';

const KILLS = { rounds: 5, kills: 10 };
const BARE_KILLS = { rounds: 1, kills: 20 };
const RESTARTS = 10;

/** After a kill of a worker: leases of 12 s, a sweep each 4 s, and something to spare. */
const AFTER_WORKER_S = 20;
const AFTER_RESTART_S = 3;

/** How soon work goes on after what it needs was killed. */
export const recovery: Benchmark = {
  name: 'recovery',
  about:
    'from a SIGKILL to the next run, at default settings, against BullMQ at its default settings',
  run: async (context) => [
    ...(await afterWorkerKills(context)),
    ...(await afterRedisRestarts(context)),
  ],
};

async function afterWorkerKills({ log }: BenchmarkContext): Promise<readonly Figure[]> {
  await using lifetime = new AsyncDisposableStack();
  const redis = await startRedisServer({ lifetime });
  const logAs = (kind: string) => (line: string) => log(`worker killed, ${kind}: ${line} s`);
  const syncline = await killSynclineWorkers({ redis, ...KILLS, log: logAs('syncline') });
  const baseline = await killBareWorkers({ redis, ...BARE_KILLS, log: logAs('baseline') });
  const figure = (name: string, of: (seconds: readonly number[]) => number): Figure => ({
    what: `worker killed, its registry is run again: ${name}`,
    unit: 's',
    baseline: of(baseline),
    syncline: of(syncline),
  });
  return [
    figure('median', (seconds) => quantile(seconds, 0.5)),
    { ...figure('99 %', (seconds) => quantile(seconds, 0.99)), wantedBelow: AFTER_WORKER_S },
    figure('most', (seconds) => Math.max(...seconds)),
  ];
}

async function afterRedisRestarts({ log }: BenchmarkContext): Promise<readonly Figure[]> {
  const measure = async (
    kind: 'syncline' | 'baseline',
    outlast: (options: OutageOptions, port: number) => Promise<readonly Recovery[]>,
  ) => {
    await using lifetime = new AsyncDisposableStack();
    const redis = await startRedisServer({ lifetime });
    const outages = restartsOf(redis);
    const logAs = (line: string) => log(`Redis killed, ${kind}: ${line}`);
    return await outlast({ outages, count: RESTARTS, lifetime, log: logAs }, redis.port);
  };
  const syncline = await measure('syncline', outlastOutages);
  const baseline = await measure('baseline', (options, port) =>
    outlastOutagesBare({ ...options, connection: { host: '127.0.0.1', port } }),
  );
  const figure = (name: string, of: (recoveries: readonly Recovery[]) => number): Figure => ({
    what: `Redis killed and restarted, the next tick is run: ${name}`,
    unit: 's',
    baseline: of(baseline),
    syncline: of(syncline),
  });
  return [
    figure('median, since it is back', (all) =>
      quantile(
        all.map((it) => it.sinceBack),
        0.5,
      ),
    ),
    {
      ...figure('most, since it is back', (all) => Math.max(...all.map((it) => it.sinceBack))),
      wantedBelow: AFTER_RESTART_S,
    },
    figure('median, since the kill', (all) =>
      quantile(
        all.map((it) => it.sinceGone),
        0.5,
      ),
    ),
    figure('most, since the kill', (all) => Math.max(...all.map((it) => it.sinceGone))),
  ];
}
