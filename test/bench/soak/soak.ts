import { setTimeout as sleep } from 'node:timers/promises';
import { redisKeys } from '@syncline/contract';
import type { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import type { Lifetime } from '../../support/lifetime.ts';
import { connect } from '../../support/redis.ts';
import { startRedisServer } from '../../support/redis-server.ts';
import { until } from '../../support/until.ts';
import { untilComplete } from '../../support/until-registry.ts';
import { addTicks, openQueue } from '../measure/queue.ts';
import { type Fleet, startFleet } from './fleet.ts';
import { startLoad } from './load.ts';
import { type Observed, observeProcesses, observeRedis } from './observe.ts';
import { CATALOG, type SoakRegistries, soakRegistries } from './registries.ts';
import type { Series } from './series.ts';

const WORKERS = 3;
const SLICES = 10;
/** A worker is killed in each half of a slice; in the first slices, scheduler and api too. */
const HALVES = 2;
const SLICES_WITH_OTHER_KILLS = 2;
/** Run logs of this length do not grow any more. */
const RUNS_KEPT = 500;
const WARM_UP_BATCH = 30;
const QUIET_MS = 3_000;
const DRAINED_WITHIN_MS = 600_000;
/** Until the jobs of a killed worker have been found: their locks, and a check each half minute. */
const SETTLED_WITHIN_MS = 180_000;

export interface SoakOptions {
  readonly ticks: number;
  readonly lifetime: Lifetime;
  readonly log: (line: string) => void;
}

export interface SoakResult {
  /** Measured at the end of each slice. */
  readonly series: readonly Series[];
  /** Kinds of keys before the first slice and after the last one, with nothing running. */
  readonly settled: readonly SettledKeys[];
  readonly counts: Readonly<Record<string, number>>;
}

export interface SettledKeys {
  readonly what: string;
  readonly before: number;
  readonly after: number;
}

/** Runs ticks on a whole Syncline as fast as it takes them, kills parts of it, and measures its usage. */
export async function soak({ ticks, lifetime, log }: SoakOptions): Promise<SoakResult> {
  const redis = await startRedisServer({ lifetime });
  const registries = await soakRegistries(lifetime);
  const fleet = await startFleet({ config: registries.config, redis, workers: WORKERS, lifetime });
  const { client, prefix } = fleet;
  const store = connect(redis.url, lifetime);
  const queue = openQueue(redis.url, prefix, lifetime);
  const context: SoakContext = { fleet, registries, store, queue, log };
  const counts = {
    ticks,
    seconds: 0,
    killed: 0,
    walks: 0,
    requests: 0,
    unanswered: 0,
    published: 0,
  };
  const withLoad = async (act: () => Promise<void>) => {
    const load = startLoad({ registries, client, redis: store, prefix });
    await Promise.race([act(), load.ended]);
    await load.stop();
    counts.walks += load.counts.walks;
    counts.requests += load.counts.requests;
    counts.unanswered += load.counts.unanswered;
  };

  await syncAll(context);
  await withLoad(() => warmUp(context));
  const before = await settledKeys(context);
  const begunAtMs = performance.now();
  const observed: (readonly Observed[])[] = [];
  for (let slice = 0; slice < SLICES; slice += 1) {
    const sliceAtMs = performance.now();
    await withLoad(async () => {
      for (let half = 0; half < HALVES; half += 1) {
        counts.killed += await runHalf(context, { slice, half, ticks: ticks / SLICES / HALVES });
      }
    });
    const seconds = (performance.now() - sliceAtMs) / 1_000;
    await sleep(QUIET_MS);
    observed.push([...(await observeProcesses(fleet)), ...(await observeRedis(store, prefix))]);
    log(`slice ${slice + 1} of ${SLICES}: ${Math.round(seconds)} s`);
  }
  counts.seconds = Math.round((performance.now() - begunAtMs) / 1_000);
  const after = await settledKeys(context);
  counts.published = fleet.countLogs('run published');
  return { series: seriesOf(observed), settled: compareKeys(before, after), counts };
}

interface SoakContext {
  readonly fleet: Fleet;
  readonly registries: SoakRegistries;
  readonly store: Redis;
  readonly queue: Queue;
  readonly log: (line: string) => void;
}

/** Waits for the first sync of each registry, and of the catalog. */
async function syncAll({ fleet, registries, queue, log }: SoakContext): Promise<void> {
  await addTicks(queue, registries.all, registries.all.length);
  for (const name of [...registries.all, `catalog.${CATALOG}`]) {
    await untilComplete(fleet.client, name, { timeoutMs: DRAINED_WITHIN_MS });
  }
  log('all is synced');
}

/** Fills the run logs of changing registries: otherwise they would grow for long. */
async function warmUp({ fleet, registries, store, queue, log }: SoakContext): Promise<void> {
  const keys = redisKeys(fleet.prefix);
  const names = [...registries.changing, `catalog.${CATALOG}`];
  await until(
    async (see) => {
      const lengths = await Promise.all(names.map((name) => store.xlen(keys.runs(name))));
      see(lengths);
      if (lengths.every((length) => length >= RUNS_KEPT)) return true;
      const { waiting } = await waitingJobs(queue);
      if (waiting === 0) await addTicks(queue, registries.changing, WARM_UP_BATCH);
      return false;
    },
    { what: 'the run logs to be full', timeoutMs: DRAINED_WITHIN_MS },
  );
  await untilDrained(queue);
  log('logs of runs are full');
}

/** @returns how many processes were killed */
async function runHalf(
  { fleet, registries, queue }: SoakContext,
  { slice, half, ticks }: { slice: number; half: number; ticks: number },
): Promise<number> {
  await addTicks(queue, registries.all, ticks);
  const share = 0.25 + Math.random() / 2;
  await until(async () => (await waitingJobs(queue)).waiting < ticks * share, {
    what: 'some of the ticks to be run',
    timeoutMs: DRAINED_WITHIN_MS,
  });
  // The first worker survives the whole soak.
  const killed = [`worker-${2 + half}`];
  if (slice < SLICES_WITH_OTHER_KILLS) killed.push(half === 0 ? 'scheduler-1' : 'api');
  await Promise.all(killed.map((name) => fleet.replace(name)));
  await untilDrained(queue);
  return killed.length;
}

async function waitingJobs(queue: Queue): Promise<{ waiting: number; active: number }> {
  const {
    wait = 0,
    prioritized = 0,
    active = 0,
  } = await queue.getJobCounts('wait', 'prioritized', 'active');
  return { waiting: wait + prioritized, active };
}

/** Waits until all ticks have been taken. Those of a killed worker are still active, for more than a minute. */
function untilDrained(queue: Queue): Promise<unknown> {
  return until(
    async (see) => {
      const counts = await waitingJobs(queue);
      see(counts);
      return counts.waiting === 0;
    },
    { what: 'a queue without waiting ticks', timeoutMs: DRAINED_WITHIN_MS },
  );
}

async function settledKeys({ fleet, store, queue }: SoakContext): Promise<readonly Observed[]> {
  await until(
    async (see) => {
      const counts = await waitingJobs(queue);
      see(counts);
      return counts.waiting + counts.active === 0;
    },
    { what: 'no jobs to be waiting or active', timeoutMs: SETTLED_WITHIN_MS },
  );
  const observed = await observeRedis(store, fleet.prefix);
  return observed.filter(({ what }) => what.startsWith('keys: '));
}

function compareKeys(before: readonly Observed[], after: readonly Observed[]): SettledKeys[] {
  const find = (among: readonly Observed[], what: string) =>
    among.find((it) => it.what === what)?.value ?? 0;
  const kinds = new Set([...before, ...after].map(({ what }) => what));
  return [...kinds].map((what) => ({ what, before: find(before, what), after: find(after, what) }));
}

function seriesOf(slices: readonly (readonly Observed[])[]): Series[] {
  const all = new Map<string, Observed>(slices.flat().map((observed) => [observed.what, observed]));
  return [...all.values()].map(({ what, unit, floor, life }) => {
    const ofSlices = slices.map((slice) => slice.find((observed) => observed.what === what));
    return {
      what,
      unit,
      floor,
      values: ofSlices.map((observed) => observed?.value ?? 0),
      ...(life !== undefined && { lives: ofSlices.map((observed) => observed?.life ?? 0) }),
    };
  });
}
