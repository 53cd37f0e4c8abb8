/**
 * Seen in: obot, pull request 3540.
 * Failure: all catalogs were deleted by accident.
 * Syncline: an invalid config changes nothing. A config that drops everything deletes no data for ten minutes, and
 * restoring it brings everything back.
 */
import { rm } from 'node:fs/promises';
import { redisKeys } from '@syncline/contract';
import { expect, test } from 'vitest';
import { connect } from '../../support/redis.ts';
import { generateRows } from '../../support/rows/generate.ts';
import { startSystem } from '../../support/system.ts';
import { until } from '../../support/until.ts';
import { untilComplete } from '../../support/until-registry.ts';
import { startUpstream } from '../../support/upstream.ts';

const ROWS = generateRows({ count: 40, seed: 3_540 });
const NAMES = ['one', 'two', 'three'];

test('neither an invalid config nor a lost one deletes a catalog', async () => {
  const upstream = await startUpstream({ rows: ROWS });
  const configOf = (names: readonly string[]) => ({
    registries: names.map((name) => ({
      name,
      api: { endpoint: upstream.url },
      syncPolicy: { interval: '12h' },
    })),
  });
  const catalogs = [{ name: 'all', registries: NAMES }];
  const system = await startSystem({
    config: { ...configOf(NAMES), catalogs },
    workers: 1,
  });
  const { client, config, prefix, redisUrl } = system;
  const [scheduler] = system.schedulers;
  if (scheduler === undefined) throw new Error('expected a scheduler');
  const snapshots = async () => {
    const found = await Promise.all(NAMES.map((name) => client.registry(name)));
    return found.map(({ snapshot }) => snapshot);
  };
  for (const name of NAMES) await untilComplete(client, name);
  await until(async () => (await client.allServers('all')).length === ROWS.length, {
    what: 'the catalog to serve all rows',
  });
  const before = await snapshots();

  const accidents = [
    () => config.replaceText(''),
    () => config.replaceText(JSON.stringify(configOf([]))),
    () => rm(config.path),
  ];
  for (const cause of accidents) {
    const lines = scheduler.output.logs.length;
    await cause();
    await scheduler.waitForLog(
      (line) => line.level === 'error' && scheduler.output.logs.indexOf(line) >= lines,
      { what: 'the rejected config' },
    );
    for (const name of [...NAMES, 'all']) {
      expect(await client.allServers(name), `${cause}`).toHaveLength(ROWS.length);
    }
  }

  // A valid config that drops all but one may be intended. The data is kept for a while.
  const direct = connect(redisUrl);
  const keys = redisKeys(prefix);
  await config.replace(configOf(NAMES.slice(0, 1)));
  await until(async () => Number(await direct.zscore(keys.registries, 'three')) > 0, {
    what: 'the scheduler to record the dropped registries',
  });
  await until(async () => (await client.get('/registry/three/v0.1/servers')).status === 404, {
    what: 'the api to use the new config',
  });
  const asked = upstream.requests.length;
  await config.replace({ ...configOf(NAMES), catalogs });
  await until(async () => (await client.get('/registry/all/v0.1/servers')).status === 200, {
    what: 'the catalog to be served again',
  });
  expect(await snapshots()).toEqual(before);
  for (const name of [...NAMES, 'all']) {
    expect(await client.allServers(name)).toHaveLength(ROWS.length);
  }
  expect(upstream.requests).toHaveLength(asked);
});
