import { connect, startRedisServer, startUpstreamProcess } from '../../support/index.ts';
import type { Benchmark } from '../benchmark.ts';
import { receivedBytes } from '../measure/redis-usage.ts';
import { changedRows } from './changed-rows.ts';

const ROWS = 100_000;
const SEED = 1;
const CHANGED = 30;

/** What a small change writes to Redis: chunks that did not change must not be written again. */
export const delta: Benchmark = {
  name: 'delta',
  about: `what is sent to Redis when ${CHANGED} of ${ROWS} rows have changed, against only those rows`,
  run: async ({ lifetime, log }) => {
    const redis = await startRedisServer({ lifetime });
    const client = connect(redis.url, lifetime);
    const upstream = await startUpstreamProcess({ count: ROWS, seed: SEED, lifetime });
    const before = await receivedBytes(client);
    const rows = changedRows({
      count: ROWS,
      seed: SEED,
      changed: CHANGED,
      updatedAt: new Date().toISOString(),
    });
    await upstream.upsert(rows);
    log(`changed ${rows.length} rows at ${upstream.url}`);
    // Sending the changed rows as they are is the least that anybody could send.
    for (const row of rows) await client.set(row.server.name, JSON.stringify(row));
    const sent = (await receivedBytes(client)) - before;
    return [{ what: `${CHANGED} rows changed`, unit: 'KB', baseline: sent / 1_000 }];
  },
};
