import { z } from 'zod';
import { type Lifetime, startUpstreamProcess } from '../../support/index.ts';
import type { Benchmark } from '../benchmark.ts';
import { startMeasured, type Usage } from '../measure/measured-process.ts';
import { median } from '../measure/statistics.ts';

const ROWS = 100_000;
const ROUNDS = 3;

/** What validating, filtering, chunking, compressing and storing cost over only fetching and parsing. */
export const fullSync: Benchmark = {
  name: 'full-sync',
  about: `a first sync of ${ROWS} rows at 100 a page, against only fetching the pages and JSON.parse`,
  run: async ({ lifetime, log }) => {
    const upstream = await startUpstreamProcess({ count: ROWS, lifetime });
    const times: number[] = [];
    const usages: Usage[] = [];
    for (let round = 1; round <= ROUNDS; round += 1) {
      const { tookMs, usage } = await fetchOnly(upstream.url, lifetime);
      log(`round ${round} of ${ROUNDS}: ${Math.round(tookMs)} ms only fetching`);
      times.push(tookMs);
      usages.push(usage);
    }
    return [
      { what: `${ROWS} rows`, unit: 's', baseline: median(times) / 1_000 },
      {
        what: 'peak memory',
        unit: 'MB',
        baseline: median(usages.map(({ peakRssBytes }) => peakRssBytes)) / 1e6,
      },
      {
        what: 'longest block of the event loop',
        unit: 'ms',
        baseline: median(usages.map(({ longestBlockMs }) => longestBlockMs)),
      },
    ];
  },
};

const fetchedSchema = z.object({ rows: z.literal(ROWS), bytes: z.number(), tookMs: z.number() });

async function fetchOnly(endpoint: string, lifetime: Lifetime) {
  const measured = await startMeasured({
    name: 'fetch-only',
    entry: 'test/bench/full-sync/fetch-only.ts',
    args: [endpoint],
    lifetime,
  });
  const line = await measured.process.waitForLog(({ msg }) => msg === 'fetched', {
    what: 'that it has fetched all',
    timeoutMs: 120_000,
  });
  await measured.process.exited;
  return { ...fetchedSchema.parse(line), usage: await measured.finish() };
}
