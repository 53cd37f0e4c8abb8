import { connect } from '../../support/redis.ts';
import { startRedisServer } from '../../support/redis-server.ts';
import { startUpstreamProcess } from '../../support/upstream-process.ts';
import type { Benchmark } from '../benchmark.ts';
import { receivedBytes } from '../measure/redis-usage.ts';
import { benchSyncline } from '../measure/syncline.ts';
import { changedRows } from './changed-rows.ts';

const ROWS = 100_000;
const SEED = 1;
const CHANGED = 30;

/** How much a small change writes to Redis: unchanged chunks must not be written again. */
export const delta: Benchmark = {
  name: 'delta',
  about: `what is sent to Redis when ${CHANGED} of ${ROWS} rows have changed, against only those rows`,
  run: async ({ lifetime, log }) => {
    const redis = await startRedisServer({ lifetime });
    const client = connect(redis.url, lifetime);
    const sentBy = async (work: () => Promise<unknown>) => {
      const before = await receivedBytes(client);
      await work();
      return ((await receivedBytes(client)) - before) / 1_000;
    };
    const upstream = await startUpstreamProcess({ count: ROWS, seed: SEED, lifetime });
    const config = { registries: [{ name: 'upstream', api: { endpoint: upstream.url } }] };
    const syncline = await benchSyncline(redis, config, lifetime);
    const worker = await syncline.startWorker();
    const whole = await sentBy(() => syncline.run('upstream'));
    log(`the first sync: ${Math.round(whole)} KB`);

    const updatedAt = new Date().toISOString();
    const rows = changedRows({ count: ROWS, seed: SEED, changed: CHANGED, updatedAt });
    await upstream.upsert(rows);
    log(`changed ${rows.length} rows at ${upstream.url}`);
    const before = await syncline.status('upstream');
    const changes = await sentBy(() => syncline.run('upstream'));
    if ((await syncline.status('upstream')).snapshot === before.snapshot) {
      throw new Error('expected the change to be published');
    }
    await worker.finish();
    // No program can send less than the changed rows themselves.
    const least = await sentBy(async () => {
      for (const row of rows) await client.set(row.server.name, JSON.stringify(row));
    });
    return [
      { what: `${CHANGED} rows changed`, unit: 'KB', baseline: least, syncline: changes },
      { what: 'the first sync', unit: 'KB', syncline: whole },
      { what: 'the change, of the first sync', unit: '%', syncline: (changes / whole) * 100 },
    ];
  },
};
