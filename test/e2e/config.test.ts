import { rm } from 'node:fs/promises';
import { type ConfigInput, redisKeys } from '@syncline/contract';
import { expect, test } from 'vitest';
import { connect } from '../support/redis.ts';
import { writeRegistryFile } from '../support/registry-file.ts';
import { generateRows } from '../support/rows/generate.ts';
import { rowKey } from '../support/rows/row.ts';
import { type System, startSystem } from '../support/system.ts';
import { until } from '../support/until.ts';
import { untilComplete, untilRun } from '../support/until-registry.ts';

const ROWS = generateRows({ count: 20, seed: 41 });

/** Fires each second. */
const OFTEN = { pattern: '* * * * * *', timezone: 'Europe/Berlin' };

function withSchedule(path: string, changes: object = { schedule: OFTEN }): ConfigInput {
  return { registries: [{ name: 'source', file: { path }, ...changes }] };
}

test('a registry is synced by its cron pattern, and by an interval once the config has one', async () => {
  const source = await writeRegistryFile(ROWS);
  const { client, config } = await startSystem({ config: withSchedule(source.path) });
  await untilComplete(client, 'source');
  expect(await client.registry('source')).toMatchObject({ schedule: OFTEN, stale: false });
  await source.replace(ROWS.slice(1));
  const run = await untilRun(client, 'source', ({ rowCount }) => rowCount === ROWS.length - 1);
  expect(run).toMatchObject({ trigger: 'schedule', outcome: 'published' });

  await config.replace(withSchedule(source.path, { syncPolicy: { interval: '1s' } }));
  await until(async () => 'interval' in (await client.registry('source')).schedule, {
    what: 'the interval to be in force',
  });
  await source.replace(ROWS.slice(2));
  const next = await untilRun(client, 'source', ({ rowCount }) => rowCount === ROWS.length - 2);
  expect(next).toMatchObject({ trigger: 'schedule', outcome: 'published' });
});

test('an invalid config is rejected, and the next valid one takes effect', async () => {
  const source = await writeRegistryFile(ROWS);
  const good = withSchedule(source.path);
  const system = await startSystem({ config: good });
  const { client, config } = system;
  const [scheduler] = system.schedulers;
  if (scheduler === undefined) throw new Error('expected a scheduler');
  await untilComplete(client, 'source');
  const inForce = await digestInForce(system);
  const served = (await client.allServers('source')).map(rowKey);

  const bad: readonly (readonly [text: string, complaint: string])[] = [
    [JSON.stringify(withSchedule(source.path, { filter: { names: { include: ['a{'] } } })), 'glob'],
    [
      JSON.stringify(withSchedule(source.path, { schedule: { pattern: '0 0 30 2 *' } })),
      'no day ever matches',
    ],
    ['registries: [{ name: source', 'syncline.yaml:1:'],
    [
      JSON.stringify({ ...good, catalogs: [{ name: 'all', registries: ['gone'] }] }),
      'there is no registry gone',
    ],
    [JSON.stringify({ ...good, registriez: [] }), 'unknown key'],
    [JSON.stringify({ registries: [...good.registries, ...good.registries] }), 'Use a unique name'],
    [
      JSON.stringify(withSchedule(source.path, { syncPolicy: { interval: '1 fortnight' } })),
      'Use a duration',
    ],
    [`x: &x [${'y,'.repeat(50)}]\nregistries: [${'*x,'.repeat(200)}]`, 'aliased nodes'],
    [`registries: [] #${'x'.repeat(50_000_000)}`, 'Use a file of at most 5000000 bytes'],
    [JSON.stringify(good).slice(0, -20), 'syncline.yaml:1:'],
  ];
  for (const [text, complaint] of bad) {
    const linesBefore = scheduler.output.logs.length;
    await config.replaceText(text);
    await scheduler.waitForLog(
      (line) =>
        scheduler.output.logs.indexOf(line) >= linesBefore &&
        line.level === 'error' &&
        JSON.stringify(line).includes(complaint),
    );
    expect(await digestInForce(system)).toBe(inForce);
    expect((await client.allServers('source')).map(rowKey)).toEqual(served);
  }
  await rm(config.path);
  await scheduler.waitForLog(
    (line) => line.level === 'error' && JSON.stringify(line).includes('found no file'),
  );
  expect(await digestInForce(system)).toBe(inForce);
  await source.replace(ROWS.slice(1));
  await untilRun(client, 'source', ({ rowCount }) => rowCount === ROWS.length - 1);
  await config.replace({
    ...good,
    catalogs: [{ name: 'all', registries: ['source'] }],
  });
  await until(async () => (await digestInForce(system)) !== inForce, { what: 'the valid config' });
  expect(scheduler.running).toBe(true);
});

function digestInForce({ redisUrl, prefix }: System): Promise<string | null> {
  return connect(redisUrl).get(redisKeys(prefix).config);
}
