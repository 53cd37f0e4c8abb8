import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import {
  nodeBinary,
  projectRoot,
  runCommand,
  startSystem,
  temporaryDirectory,
  untilComplete,
  writeRegistryFile,
} from '../support/index.ts';

/** The packages that other services install, in build order. */
const PACKAGES = ['contract', 'client'];
const TSC = path.join(projectRoot, 'node_modules/.bin/tsc');

const PROGRAM = `
import { createSynclineClient } from '@syncline/client';

const client = createSynclineClient({ redis: process.env.REDIS_URL, prefix: process.env.SYNCLINE_PREFIX });
const status = await client.getStatus('source');
const { request } = await client.requestSync('source');
const run = await client.waitForRun('source', request, { timeoutMs: 120_000 });
const error = await client.getStatus('nobody').catch(({ name, code }) => ({ name, code }));
await client.close();
console.log(JSON.stringify({ phase: status.phase, outcome: run?.outcome, error }));
`;

const TYPED_PROGRAM = `
import { createSynclineClient } from '@syncline/client';
import type { Run } from '@syncline/contract';

export async function sync(registry: string): Promise<Run['outcome'] | undefined> {
  const client = createSynclineClient({ redis: 'redis://localhost' });
  const { request } = await client.requestSync(registry, { force: true });
  return (await client.waitForRun(registry, request, { timeoutMs: 1_000 }))?.outcome;
}
// @ts-expect-error: a request without a registry
void createSynclineClient({ redis: 'redis://localhost' }).requestSync();
`;

test('the client package installs and works without the rest of the project', async (ctx) => {
  const directory = await temporaryDirectory();
  const tarballs = await packAll(directory);
  await writeFile(path.join(directory, 'package.json'), '{"name":"consumer","type":"module"}');
  try {
    const args = ['install', '--prefer-offline', '--no-audit', '--no-fund', ...tarballs];
    await runCommand('npm', args, { directory });
  } catch (error) {
    const isOffline = /EAI_AGAIN|ECONNREFUSED|ENETUNREACH|ENOTFOUND|ETIMEDOUT/.test(String(error));
    if (isOffline)
      return ctx.skip('its dependencies cannot be installed: no package registry answers');
    throw error;
  }

  const { path: file } = await writeRegistryFile([
    { server: { name: 'com.example/one', description: 'One', version: '1.0.0' } },
  ]);
  const config = { registries: [{ name: 'source', file: { path: file } }] };
  const { client, redisUrl, prefix } = await startSystem({ config, workers: 1 });
  await untilComplete(client, 'source');
  await writeFile(path.join(directory, 'program.js'), PROGRAM);
  const env = { REDIS_URL: redisUrl, SYNCLINE_PREFIX: prefix };
  const printed = await runCommand(nodeBinary(), ['program.js'], { directory, env });
  expect(JSON.parse(printed)).toEqual({
    phase: 'Complete',
    outcome: 'unchanged',
    error: { name: 'SynclineError', code: 'unknown-registry' },
  });

  await writeFile(path.join(directory, 'typed-program.ts'), TYPED_PROGRAM);
  const check = ['--noEmit', '--strict', '--module', 'nodenext', '--skipLibCheck'];
  await runCommand(TSC, [...check, 'typed-program.ts'], { directory });
});

/** Builds the packages as they are published, and returns the files to install them from. */
async function packAll(directory: string): Promise<string[]> {
  for (const name of PACKAGES) {
    const of = path.join(projectRoot, 'packages', name);
    await runCommand(TSC, ['-p', 'tsconfig.build.json'], { directory: of });
    await runCommand(
      'npx',
      ['-y', '--prefer-offline', 'pnpm@12.21.0', 'pack', '--pack-destination', directory],
      {
        directory: of,
      },
    );
  }
  return PACKAGES.map((name) => `./syncline-${name}-0.1.0.tgz`);
}
