import { spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { runSchema } from '@syncline/contract';
import { expect, test } from 'vitest';
import { createApiClient } from '../support/api-client.ts';
import { suiteLifetime } from '../support/lifetime.ts';
import { nodeBinary, projectRoot } from '../support/project.ts';
import { runCommand } from '../support/run-command.ts';
import { startSystem } from '../support/system.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { untilComplete } from '../support/until-registry.ts';

const TOKEN = 'a-token-for-tests';

const lifetime = suiteLifetime();
let started: ReturnType<typeof start> | undefined;

/** Starts one system for all tests: the registry of `npm start`, synced only by requests. */
async function start() {
  const tokenFile = path.join(await temporaryDirectory(lifetime), 'token');
  await writeFile(tokenFile, `${TOKEN}\n`);
  const file = { path: path.join(projectRoot, 'examples/quickstart-registry.json') };
  const config = {
    registries: [{ name: 'examples', file, syncPolicy: { interval: '12h' } }],
  };
  const env = { SYNCLINE_ADMIN_TOKEN_FILE: tokenFile };
  const system = await startSystem({ config, env, workers: 1, lifetime });
  await untilComplete(system.client, 'examples');
  return system;
}

async function runExample(command: string, file: string, env: Record<string, string> = {}) {
  started ??= start();
  const { redisUrl, prefix, apiUrl, client } = await started;
  const before = (await client.registry('examples')).control.handled;
  const printed = await runCommand(command, [path.join('examples/enqueue', file), 'examples'], {
    directory: projectRoot,
    env: { REDIS_URL: redisUrl, SYNCLINE_PREFIX: prefix, SYNCLINE_URL: apiUrl, ...env },
  });
  const { control } = await client.registry('examples');
  return { printed, answered: control.handled - before, handled: control.handled };
}

test('the client example requests a sync, waits, and reads the status', async () => {
  const { printed, answered, handled } = await runExample(nodeBinary(), 'with-client.mjs');
  expect(printed).toBe(
    `request ${handled}: queued\nrun: unchanged\nstatus: Complete, 13 servers\n`,
  );
  expect(answered).toBe(1);
});

test('the BullMQ example requests a sync', async () => {
  const { printed, answered } = await runExample(nodeBinary(), 'with-bullmq.mjs');
  expect(printed).toBe('job: unchanged\n');
  expect(answered).toBe(1);
});

const curl = spawnSync('curl', ['--version']);

test.skipIf(curl.error !== undefined)(
  'the curl example requests a sync with the token, and waits',
  async () => {
    const { printed, answered, handled } = await runExample('sh', 'with-curl.sh', {
      SYNCLINE_ADMIN_TOKEN: TOKEN,
    });
    const run = runSchema.parse(JSON.parse(printed));
    expect(run).toMatchObject({ registry: 'examples', outcome: 'unchanged', trigger: 'manual' });
    expect(run.handledRequest).toBe(handled);
    expect(answered).toBe(1);
    await expect(runExample('sh', 'with-curl.sh')).rejects.toThrow('401');
  },
);

test('a sync request over HTTP gets the documented response', async () => {
  started ??= start();
  const { apiUrl } = await started;
  const client = createApiClient({ url: apiUrl, token: TOKEN });
  const { status, headers, body } = await client.post('/v1/registries/examples/sync');
  expect(status).toBe(202);
  expect(body).toEqual({ request: expect.any(Number), state: 'queued' });
  expect(headers.get('location')).toMatch(/^\/v1\/registries\/examples\/requests\/\d+$/);
});
