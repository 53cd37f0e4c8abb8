import { z } from 'zod';
import type { Lifetime } from '../../support/lifetime.ts';
import { type RedisServerHandle, startRedisServer } from '../../support/redis-server.ts';
import { startUpstreamProcess } from '../../support/upstream-process.ts';
import type { Benchmark } from '../benchmark.ts';
import { startMeasured, type Usage } from '../measure/measured-process.ts';
import { median } from '../measure/statistics.ts';
import { benchSyncline } from '../measure/syncline.ts';

const ROWS = 100_000;
const ROUNDS = 3;

interface Measured {
  readonly tookMs: number;
  readonly usage: Usage;
}

/** What validating, filtering, chunking, compressing and storing cost in addition to fetching and parsing. */
export const fullSync: Benchmark = {
  name: 'full-sync',
  about: `a first sync of ${ROWS} rows at 100 a page, against only fetching the pages and JSON.parse`,
  run: async ({ lifetime, log }) => {
    const upstream = await startUpstreamProcess({ count: ROWS, lifetime });
    const redis = await startRedisServer({ lifetime });
    const baseline: Measured[] = [];
    const syncline: Measured[] = [];
    for (let round = 1; round <= ROUNDS; round += 1) {
      const fetched = await fetchOnly(upstream.url, lifetime);
      baseline.push(fetched);
      const synced = await syncFirst(redis, upstream.url, lifetime);
      syncline.push(synced);
      const [base, ours] = [fetched, synced].map(({ tookMs }) => Math.round(tookMs));
      log(`round ${round} of ${ROUNDS}: ${base} ms only fetching, ${ours} ms syncing`);
    }
    const compare = (of: (measured: Measured) => number) => ({
      baseline: median(baseline.map(of)),
      syncline: median(syncline.map(of)),
    });
    return [
      { what: `${ROWS} rows`, unit: 's', ...compare(({ tookMs }) => tookMs / 1_000) },
      { what: 'peak memory', unit: 'MB', ...compare(({ usage }) => usage.peakRssBytes / 1e6) },
      {
        what: 'longest block of the event loop',
        unit: 'ms',
        ...compare(({ usage }) => usage.longestBlockMs),
      },
    ];
  },
};

const fetchedSchema = z.object({ rows: z.literal(ROWS), bytes: z.number(), tookMs: z.number() });

async function fetchOnly(endpoint: string, lifetime: Lifetime): Promise<Measured> {
  const measured = await startMeasured({
    name: 'fetch-only',
    entry: 'test/bench/full-sync/fetch-only.ts',
    args: [endpoint],
    lifetime,
  });
  const line = await measured.process.waitForLog(({ msg }) => msg === 'fetched', {
    what: 'that it has fetched all',
  });
  await measured.process.exited;
  return { tookMs: fetchedSchema.parse(line).tookMs, usage: await measured.finish() };
}

/** Measures the first sync of a registry, from the job in the queue to the end of the job. */
async function syncFirst(
  redis: RedisServerHandle,
  endpoint: string,
  lifetime: Lifetime,
): Promise<Measured> {
  const config = { registries: [{ name: 'upstream', api: { endpoint } }] };
  const syncline = await benchSyncline(redis, config, lifetime);
  const worker = await syncline.startWorker();
  const tookMs = await syncline.run('upstream');
  const { versionCount } = await syncline.status('upstream');
  if (versionCount !== ROWS) throw new Error(`expected ${ROWS} rows, got ${versionCount}`);
  return { tookMs, usage: await worker.finish() };
}
