import { once } from 'node:events';
import { readFile, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import path from 'node:path';
import {
  type ConfigFile,
  createApiClient,
  freshPrefix,
  generateRows,
  type ProcessHandle,
  redisUrl,
  replaceFile,
  temporaryDirectory,
  until,
  writeConfig,
} from '@syncline/test/support';
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { startSyncline, syncline } from '../testing/syncline.ts';

const ROWS = generateRows({ count: 12 });

async function prepare(): Promise<{ config: ConfigFile; env: Record<string, string> }> {
  const directory = await temporaryDirectory();
  await replaceFile(path.join(directory, 'registry.json'), JSON.stringify({ servers: ROWS }));
  const config = await writeConfig({
    registries: [{ name: 'local', file: { path: path.join(directory, 'registry.json') } }],
  });
  const env = {
    SYNCLINE_CONFIG: config.path,
    SYNCLINE_DATA_DIR: path.join(directory, 'data'),
    PORT: '0',
  };
  return { config, env };
}

function untilPrinted(up: ProcessHandle, pattern: RegExp): Promise<RegExpExecArray> {
  return until(
    (see) => {
      see(up.output.lines);
      return pattern.exec(up.output.lines.join('\n'));
    },
    { what: String(pattern) },
  );
}

async function untilListening(up: ProcessHandle): Promise<string> {
  const [, url = ''] = await untilPrinted(up, /^ {2}Status +(.+)\/v1\/registries$/m);
  return url;
}

async function readRedisPid(dataDir: string): Promise<number> {
  const text = await readFile(path.join(dataDir, 'redis.json'), 'utf8');
  return z.object({ redisPid: z.int() }).parse(JSON.parse(text)).redisPid;
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

test('up serves rows, leaves no process behind, and keeps the rows for its next start', async () => {
  const { env } = await prepare();
  const dataDir = env['SYNCLINE_DATA_DIR'] ?? '';

  const up = await startSyncline(['up'], { env });
  const url = await untilListening(up);
  await untilPrinted(up, /^ {2}local {2}Complete {2}\d+ servers, 12 versions \(published \+12\)$/m);
  expect(await createApiClient({ url }).allServers('local')).toHaveLength(12);
  expect(up.output.logs).toEqual([]);

  // Control over HTTP needs the token that only this system account can read.
  const [, tokenFile = ''] = await untilPrinted(up, /^ {2}Token +(\S+)/m);
  expect(tokenFile).toBe(path.join(dataDir, 'admin.token'));
  expect((await stat(tokenFile)).mode & 0o777).toBe(0o600);
  const token = (await readFile(tokenFile, 'utf8')).trim();
  expect(token).toMatch(/^[0-9a-f]{64}$/);
  const sync = '/v1/registries/local/sync';
  expect((await createApiClient({ url }).post(sync)).status).toBe(401);
  expect((await createApiClient({ url, token }).post(sync)).status).toBe(202);

  // Another command finds the Redis that this `up` has started. A second `up` fails.
  const status = await syncline(['status'], { env });
  expect(status).toMatchObject({ code: 0, text: expect.stringMatching(/^local +Complete /m) });
  const second = await syncline(['up'], { env });
  expect(second.code).toBe(1);
  expect(second.text).toMatch(/^error: process \d+ uses the data directory .+\. Stop .+$/m);

  const redisPid = await readRedisPid(dataDir);
  expect(isAlive(redisPid)).toBe(true);
  expect(await up.stop()).toEqual({ code: 0, signal: null });
  expect(isAlive(redisPid)).toBe(false);
  expect(await syncline(['status'], { env })).toMatchObject({ code: 2 });

  const again = await startSyncline(['up'], { env });
  await untilPrinted(again, /^ {2}local {2}Complete {2}\d+ servers, 12 versions$/m);
  const urlAgain = await untilListening(again);
  expect(await createApiClient({ url: urlAgain }).allServers('local')).toHaveLength(12);
  expect((await createApiClient({ url: urlAgain, token }).post(sync)).status).toBe(202);
  // npm passes the signal on, so it arrives twice.
  const ending = again.kill('SIGINT');
  await again.kill('SIGINT').catch(() => {});
  expect(await ending).toEqual({ code: 0, signal: null });
});

test('a port in use is reported, and nothing is left running', async () => {
  const { env } = await prepare();
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const { port } = z.object({ port: z.int() }).parse(server.address());

  const { code, text } = await syncline(['up'], { env: { ...env, PORT: String(port) } });
  expect(code).toBe(1);
  expect(text).toMatch(new RegExp(`^error: port ${port} of 127.0.0.1 is in use\\. `, 'm'));
  expect(text).not.toMatch(/^\s+at /m);
});

test('an invalid config is reported before anything is started', async () => {
  const { config, env } = await prepare();
  await config.replaceText('registries: []');
  expect(await syncline(['up'], { env })).toEqual({
    code: 2,
    text: 'syncline.yaml:1:13 registries: found a list of 0 items. List at least one registry',
  });
});

test('with REDIS_URL up uses that Redis, and reports a failure once', async () => {
  const { config, env } = await prepare();
  await config.replace({
    registries: [{ name: 'missing', file: { path: '/none/registry.json' } }],
  });
  const prefix = freshPrefix();
  const up = await startSyncline(['up'], {
    env: { ...env, REDIS_URL: redisUrl(), SYNCLINE_PREFIX: prefix },
  });
  await untilPrinted(up, /^Using the Redis at redis:\/\/127\.0\.0\.1:\d+$/m);
  await untilPrinted(up, /^ {2}missing {2}Failed {4}.+; the next try is at \d\d:\d\d:\d\d$/m);
  expect(up.output.logs).toEqual([]);
  expect(await up.stop()).toMatchObject({ code: 0 });
});
