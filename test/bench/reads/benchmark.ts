import { writeFile } from 'node:fs/promises';
import { Agent, get } from 'node:http';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import type { ConfigInput } from '@syncline/contract';
import { z } from 'zod';
import { freePort } from '../../support/ports.ts';
import { startProcess } from '../../support/processes.ts';
import { startRedisServer } from '../../support/redis-server.ts';
import { writeRegistryFile } from '../../support/registry-file.ts';
import { generateRows } from '../../support/rows/generate.ts';
import { PROGRAMS } from '../../support/system.ts';
import { temporaryDirectory } from '../../support/temporary.ts';
import type { Benchmark } from '../benchmark.ts';
import { alternate } from '../measure/statistics.ts';
import { benchSyncline } from '../measure/syncline.ts';

const ROWS = 10_000;
const ROUNDS = 15;
const REQUESTS_PER_ROUND = 100;
const SERVERS = '/registry/rows/v0.1/servers';

const pageSchema = z.object({
  servers: z.array(z.unknown()),
  metadata: z.object({ nextCursor: z.string().optional() }),
});

/** How long the api takes to answer reads, one after the other. */
export const reads: Benchmark = {
  name: 'reads',
  about: `reads of a registry of ${ROWS} rows through the api, against a server that only encodes a page from memory`,
  run: async ({ lifetime, log }) => {
    const redis = await startRedisServer({ lifetime });
    const file = await writeRegistryFile(generateRows({ count: ROWS }), lifetime);
    const config: ConfigInput = { registries: [{ name: 'rows', file: { path: file.path } }] };
    const syncline = await benchSyncline(redis, config, lifetime);
    const worker = await syncline.startWorker();
    await syncline.run('rows');
    await worker.finish();

    const agent = new Agent({ keepAlive: true });
    lifetime.defer(() => agent.destroy());
    const port = await freePort();
    await startServer('api', PROGRAMS.api, [], {
      REDIS_URL: redis.url,
      SYNCLINE_PREFIX: syncline.prefix,
      PORT: String(port),
    });
    const read = (query: string) => timed(agent, `http://127.0.0.1:${port}${SERVERS}${query}`);

    const cold = await walk(read);
    log(`a cold walk: ${cold.rows} rows in ${cold.tookMs.toFixed(0)} ms`);
    const warm = await walk(read);
    const { servers } = pageSchema.parse(JSON.parse((await read('')).body));
    const rowsFile = path.join(await temporaryDirectory(lifetime), 'page.json');
    await writeFile(rowsFile, JSON.stringify(servers));
    const barePort = await freePort();
    const bareArgs = [rowsFile, String(barePort)];
    await startServer('bare server', 'test/bench/reads/bare-server.ts', bareArgs, {});
    const readBare = () => timed(agent, `http://127.0.0.1:${barePort}/`);

    const page = await alternate(ROUNDS, {
      baseline: () => meanOf(readBare),
      syncline: () => meanOf(() => read('')),
    });
    const search = await alternate(ROUNDS, {
      baseline: async () => (await readBare()).tookMs,
      syncline: async () => (await read('?search=not-in-any-row')).tookMs,
    });
    return [
      { what: 'a warm page of 30 rows', unit: 'ms', ...page },
      { what: 'a search through all rows without a hit', unit: 'ms', ...search },
      {
        what: 'all pages of 100 rows: cold, then warm',
        unit: 'ms',
        baseline: warm.tookMs,
        syncline: cold.tookMs,
      },
    ];

    async function startServer(
      name: string,
      entry: string,
      args: readonly string[],
      env: Readonly<Record<string, string>>,
    ): Promise<void> {
      const server = await startProcess({ name, entry, args, env, lifetime });
      await server.waitForLog(({ msg }) => msg === 'started');
    }
  },
};

interface TimedRead {
  readonly body: string;
  readonly tookMs: number;
}

async function timed(agent: Agent, url: string): Promise<TimedRead> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const begunAtMs = performance.now();
  get(url, { agent }, (response) => {
    text(response).then((body) => {
      if (response.statusCode === 200) resolve(body);
      else reject(new Error(`${url} was answered with ${response.statusCode}: ${body}`));
    }, reject);
  }).on('error', reject);
  const body = await promise;
  return { body, tookMs: performance.now() - begunAtMs };
}

async function meanOf(read: () => Promise<TimedRead>): Promise<number> {
  let sumMs = 0;
  for (let request = 0; request < REQUESTS_PER_ROUND; request += 1) sumMs += (await read()).tookMs;
  return sumMs / REQUESTS_PER_ROUND;
}

async function walk(read: (query: string) => Promise<TimedRead>) {
  let rows = 0;
  let sumMs = 0;
  let cursor: string | undefined;
  do {
    const { body, tookMs } = await read(
      `?limit=100${cursor === undefined ? '' : `&cursor=${cursor}`}`,
    );
    const page = pageSchema.parse(JSON.parse(body));
    rows += page.servers.length;
    sumMs += tookMs;
    cursor = page.metadata.nextCursor;
  } while (cursor !== undefined);
  return { rows, tookMs: sumMs };
}
