import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import type { Lifetime } from '../../support/lifetime.ts';
import { connect, freshPrefix } from '../../support/redis.ts';
import { startSystem } from '../../support/system.ts';
import { until } from '../../support/until.ts';
import type { BenchmarkContext } from '../benchmark.ts';
import { fileRegistries } from '../measure/file-registries.ts';
import { openQueue } from '../measure/queue.ts';
import { eventStream, scheduledJobEvent } from '../measure/scheduled-jobs.ts';
import { buildBareSchedulers } from '../schedules/bare-schedulers.ts';
import { startBareWorker } from './start-bare-worker.ts';

/** Their names spread them over the interval: one is due each tenth of a second. */
const REGISTRIES = Array.from({ length: 50 }, (_, index) => `registry-${index}`);
const INTERVAL_MS = 5_000;
const WORKERS = 2;
const CONCURRENCY = 16;
/** At least this long before an outage, and up to twice as long, everything runs normally. */
const CALM_MS = 2_500;
const TICKS_WITHIN_MS = 120_000;

/** A Redis that is killed and comes back, or is replaced. */
export interface Outages {
  readonly url: string;
  /** Kills it, and waits until there is one again. */
  strike(): Promise<Outage>;
  /** Restores the state from before. */
  mend(): Promise<void>;
}

/** By this machine's clock, epoch milliseconds. */
export interface Outage {
  readonly killedAtMs: number;
  /** When it had ended: later events come from the Redis that returned. */
  readonly endedAtMs: number;
  readonly backAtMs: number;
}

/** Measures how long it took until a scheduled tick had run that started after an outage, in seconds. */
export interface Recovery {
  readonly sinceKill: number;
  readonly sinceBack: number;
}

export interface OutageOptions {
  readonly outages: Outages;
  /** How many outages to measure. */
  readonly count: number;
  readonly lifetime: Lifetime;
  readonly log: BenchmarkContext['log'];
}

/** Measures a whole Syncline with registries that do not change. */
export async function outlastOutages(options: OutageOptions): Promise<readonly Recovery[]> {
  const { outages, lifetime } = options;
  const config = await fileRegistries({
    names: REGISTRIES,
    interval: `${INTERVAL_MS / 1_000}s`,
    lifetime,
  });
  const { prefix } = await startSystem({
    config,
    redisUrl: outages.url,
    workers: WORKERS,
    env: { LOG_LEVEL: 'info' },
    lifetime,
  });
  return strikeAgainAndAgain(options, prefix);
}

/** Measures BullMQ's workers and Job Schedulers, with BullMQ's default settings. */
export async function outlastOutagesBare(options: OutageOptions): Promise<readonly Recovery[]> {
  const { outages, lifetime } = options;
  const { url } = outages;
  const prefix = freshPrefix({ url, lifetime });
  await buildBareSchedulers(openQueue(url, prefix, lifetime), REGISTRIES, INTERVAL_MS);
  await Promise.all(
    Array.from({ length: WORKERS }, () =>
      startBareWorker({ redisUrl: url, prefix, concurrency: CONCURRENCY, lifetime }),
    ),
  );
  return strikeAgainAndAgain(options, prefix);
}

async function strikeAgainAndAgain(
  { outages, count, lifetime, log }: OutageOptions,
  prefix: string,
): Promise<readonly Recovery[]> {
  const client = connect(outages.url, lifetime);
  const firstTickAfter = (afterMs: number) =>
    until(() => findTick(client, { prefix, afterMs }), {
      what: 'a tick',
      timeoutMs: TICKS_WITHIN_MS,
    });
  await firstTickAfter(Date.now());
  const recoveries: Recovery[] = [];
  for (let strike = 0; strike < count; strike += 1) {
    await sleep(CALM_MS * (1 + Math.random()));
    const { killedAtMs, endedAtMs, backAtMs } = await outages.strike();
    const tickAtMs = await firstTickAfter(endedAtMs);
    const sinceKill = (tickAtMs - killedAtMs) / 1_000;
    const sinceBack = (tickAtMs - backAtMs) / 1_000;
    log(`${sinceKill.toFixed(2)} s, Redis was back after ${(sinceKill - sinceBack).toFixed(2)} s`);
    recoveries.push({ sinceKill, sinceBack });
    await outages.mend();
  }
  return recoveries;
}

/** Returns when the first scheduled job that started after a moment had finished, by Redis's clock. */
async function findTick(
  client: Redis,
  { prefix, afterMs }: { prefix: string; afterMs: number },
): Promise<number | undefined> {
  const entries = await client.xrange(eventStream(prefix), afterMs, '+');
  const begun = new Set<string>();
  for (const [id, fields] of entries) {
    const happened = scheduledJobEvent(id, fields);
    if (happened?.event === 'active') begun.add(happened.jobId);
    if (happened?.event === 'completed' && begun.has(happened.jobId)) return happened.atMs;
  }
  return undefined;
}
