import { type ConfigInput, type Run, redisKeys } from '@syncline/contract';
import { createRunLog } from '@syncline/redis';
import { connect } from '../../support/redis.ts';
import { startRedisServer } from '../../support/redis-server.ts';
import { writeRegistryFile } from '../../support/registry-file.ts';
import { generateRows } from '../../support/rows/generate.ts';
import type { OfficialRow } from '../../support/rows/row.ts';
import { until } from '../../support/until.ts';
import type { Benchmark } from '../benchmark.ts';
import { median } from '../measure/statistics.ts';
import { benchSyncline } from '../measure/syncline.ts';

const REGISTRIES = ['one', 'two', 'three'] as const;
const ROWS = 30_000;
const CHANGES = 5;
const CATALOG = 'catalog.default';

/** How long a catalog takes to build again after a small change of its registries. */
export const catalog: Benchmark = {
  name: 'catalog',
  about: `a catalog of ${REGISTRIES.length} registries of ${ROWS} rows each: rebuilt after a one-row change, against its first build`,
  run: async ({ lifetime, log }) => {
    const redis = await startRedisServer({ lifetime });
    const sources = new Map(
      await Promise.all(
        REGISTRIES.map(async (name, index) => {
          const rows = generateRows({ count: ROWS, seed: index + 1 });
          return [name, { rows, file: await writeRegistryFile(rows, lifetime) }] as const;
        }),
      ),
    );
    const config: ConfigInput = {
      registries: REGISTRIES.map((name) => ({
        name,
        file: { path: sources.get(name)?.file.path ?? '' },
      })),
      catalogs: [{ name: 'default', registries: [...REGISTRIES] }],
    };
    const syncline = await benchSyncline(redis, config, lifetime);
    const runs = createRunLog({
      redis: connect(redis.url, lifetime),
      keys: redisKeys(syncline.prefix),
    });
    /** Waits for the build after the publication of a registry; the first build needs all registries. */
    const nextBuild = (known: ReadonlySet<string>): Promise<Run> =>
      until(
        async () => {
          const { runs: found } = await runs.list(CATALOG, { limit: 20 });
          return found.find(({ id, outcome }) => outcome === 'published' && !known.has(id));
        },
        { what: 'a build of the catalog', timeoutMs: 120_000 },
      );
    const worker = await syncline.startWorker();
    for (const name of REGISTRIES) await syncline.run(name);
    const first = await nextBuild(new Set());
    log(`the first build: ${first.rowCount} rows in ${first.durationMs} ms`);

    const known = new Set([first.id]);
    const rebuilds: number[] = [];
    const { rows: start = [], file } = sources.get('three') ?? {};
    let rows = start;
    for (let change = 1; change <= CHANGES; change += 1) {
      rows = withOneChange(rows, change);
      await file?.replace(rows);
      await syncline.run('three');
      const build = await nextBuild(known);
      known.add(build.id);
      rebuilds.push(build.durationMs);
      log(`a rebuild: ${JSON.stringify(build.diff)} in ${build.durationMs} ms`);
    }
    await worker.finish();
    return [
      { what: 'a build', unit: 'ms', baseline: first.durationMs, syncline: median(rebuilds) },
      { what: 'the slowest rebuild', unit: 'ms', syncline: Math.max(...rebuilds) },
    ];
  },
};

/** Another description for a row that the catalog serves: its name belongs to no earlier registry. */
function withOneChange(rows: readonly OfficialRow[], change: number): OfficialRow[] {
  const index = Math.floor((rows.length * change) / (CHANGES + 1));
  return rows.map((row, at) =>
    at === index
      ? { ...row, server: { ...row.server, description: `changed for the ${change}th time` } }
      : row,
  );
}
