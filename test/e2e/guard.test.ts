import { expect, test } from 'vitest';
import { startProcess } from '../support/processes.ts';
import { writeRegistryFile } from '../support/registry-file.ts';
import { loadOfficialBase, loadTruncatedScrape, NO_REAL_DATA } from '../support/rows/real-data.ts';
import { PROGRAMS, type System, startSystem } from '../support/system.ts';
import { untilComplete } from '../support/until-registry.ts';

test('a real truncated scrape is held, with its row counts, until the source recovers or an operator approves it', async (ctx) => {
  const [whole, truncated] = [loadOfficialBase(), loadTruncatedScrape()];
  if (whole === undefined || truncated === undefined) return ctx.skip(NO_REAL_DATA);
  const file = await writeRegistryFile(whole);
  const system = await startSystem({
    config: {
      registries: [
        { name: 'official', file: { path: file.path }, syncPolicy: { interval: '12h' } },
      ],
    },
    workers: 1,
  });
  const { client } = system;
  const before = await untilComplete(client, 'official');
  const served = await client.allServers('official');
  expect(served).toHaveLength(whole.length);

  await file.replace(truncated);
  const run = await client.sync('official');
  expect(run).toMatchObject({ outcome: 'held', rowCount: 100 });
  const { held, status, snapshot } = await client.registry('official');
  const numbers = `100 rows instead of ${whole.length}`;
  expect(held).toMatchObject({
    reason: 'shrink',
    snapshot: run.snapshot,
    rowCountBefore: whole.length,
    rowCountAfter: 100,
  });
  expect(status).toMatchObject({
    phase: 'Complete',
    versionCount: whole.length,
    message: `the guard holds the new state: ${numbers}`,
  });
  expect(snapshot).toBe(before.snapshot);
  const digest = held?.snapshot.slice(0, 12) ?? '';
  for (const args of [['status'], ['status', 'official']]) {
    const { text } = await syncline(system, args);
    // A table may break its lines.
    expect(text.replaceAll(/\s+/g, ' ')).toContain(`the guard holds ${digest}: ${numbers}`);
  }
  const json: unknown = JSON.parse((await syncline(system, ['status', '--json'])).text);
  expect(JSON.stringify(json)).toContain('"rowCountAfter":100');
  expect(withoutTimes(await client.allServers('official'))).toEqual(withoutTimes(served));

  // A later state that passes is published, and nothing is held any more.
  await file.replace(whole.slice(0, -5));
  expect(await client.sync('official')).toMatchObject({
    outcome: 'published',
    diff: { removed: 5 },
  });
  expect(await client.registry('official')).toMatchObject({
    held: null,
    status: { versionCount: whole.length - 5 },
  });

  await file.replace(truncated);
  expect(await client.sync('official')).toMatchObject({ outcome: 'held' });
  const again = (await client.registry('official')).held?.snapshot ?? '';
  expect(await syncline(system, ['approve', 'official', again.slice(0, 12)])).toMatchObject({
    code: 0,
  });
  expect(await client.registry('official')).toMatchObject({ held: null, snapshot: again });
  expect(await client.allServers('official')).toHaveLength(100);
  expect(await client.sync('official')).toMatchObject({ outcome: 'unchanged' });
  expect(await client.registry('official')).toMatchObject({ held: null, snapshot: again });
});

/** The row as it is served to clients, without the time of its last check. */
function withoutTimes(rows: readonly object[]): string {
  return JSON.stringify(rows).replaceAll(/"syncedAt":"[^"]*"/g, '');
}

async function syncline({ redisUrl, prefix }: System, args: readonly string[]) {
  const started = await startProcess({
    name: `syncline ${args.join(' ')}`,
    entry: PROGRAMS.cli,
    args,
    env: { REDIS_URL: redisUrl, SYNCLINE_PREFIX: prefix },
  });
  const { code } = await started.exited;
  return { code, text: started.output.lines.join('\n') };
}
