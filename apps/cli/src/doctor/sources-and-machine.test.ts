import { once } from 'node:events';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { configSchema } from '@syncline/contract';
import { readEnv } from '@syncline/runtime';
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { checkDataDir, checkMachine } from './machine.ts';
import { checkSources } from './sources.ts';

const OPTIONS = { timeoutMs: 3_000, env: readEnv({}) };

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = z.object({ port: z.number() }).parse(server.address());
  return `http://127.0.0.1:${port}`;
}

async function folder(): Promise<string> {
  const directory = await mkdtemp(path.join(tmpdir(), 'syncline-doctor-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  return directory;
}

/**
 * Checks registries that may connect to this machine. Returns a level or an error code for each.
 */
async function ask(registries: readonly object[]) {
  const network = { allow: ['127.0.0.1/32'] };
  const config = configSchema.parse({ registries, network });
  const findings = await checkSources(config, OPTIONS);
  return Object.fromEntries(
    findings.map(({ check, level, found }) => [
      check.replace('source of ', ''),
      /\((source-[a-z-]+)\), from this machine$/.exec(found)?.[1] ?? level,
    ]),
  );
}

test('each source gets one small request that shows whether it answers', async () => {
  const asked: string[] = [];
  const endpoint = await serve((request, response) => {
    asked.push(request.url ?? '');
    response.end(JSON.stringify({ servers: [], metadata: { nextCursor: 'more' } }));
  });
  expect(await ask([{ name: 'one', api: { endpoint } }])).toEqual({ one: 'ok' });
  expect(asked).toEqual([expect.stringMatching(/^\/v0\.1\/servers\?/)]);
});

test('a source that does not answer has the same error code as a failed run', async () => {
  const directory = await folder();
  await writeFile(path.join(directory, 'there.json'), '[]');
  const refusing = await serve((_, response) => response.writeHead(403).end());
  const html = await serve((_, response) => response.end('<html>'));
  const silent = await serve(() => {});
  expect(
    await ask([
      { name: 'there', file: { path: path.join(directory, 'there.json') } },
      { name: 'gone', file: { path: path.join(directory, 'gone.json') } },
      { name: 'refusing', api: { endpoint: refusing } },
      { name: 'html', api: { endpoint: html } },
      { name: 'silent', api: { endpoint: silent } },
    ]),
  ).toEqual({
    there: 'ok',
    gone: 'source-file-missing',
    refusing: 'source-http-status',
    html: 'source-not-json',
    silent: 'source-timeout',
  });
});

test('credential files are checked without being read', async () => {
  const directory = await folder();
  const secret = async (name: string, mode: number) => {
    const file = path.join(directory, name);
    await writeFile(file, 'secret');
    await chmod(file, mode);
    return file;
  };
  const api = (tokenFile: string) => ({ endpoint: 'https://x.example', auth: { tokenFile } });
  const { registries } = configSchema.parse({
    registries: [
      { name: 'kept', api: api(await secret('kept', 0o640)) },
      { name: 'shown', api: api(await secret('shown', 0o604)) },
      { name: 'gone', api: api(path.join(directory, 'gone')) },
      {
        name: 'hosts',
        git: {
          repository: 'git@x.example:mcp.git',
          auth: {
            sshKeyFile: await secret('key', 0o600),
            knownHostsFile: await secret('known', 0o644),
          },
        },
      },
    ],
  });
  const findings = await checkMachine(directory, registries);
  const credentials = findings.filter(({ check }) => check.startsWith('credential of '));
  expect(credentials.map(({ check, level }) => `${check}: ${level}`)).toEqual([
    'credential of kept: ok',
    'credential of shown: warning',
    'credential of gone: problem',
    'credential of hosts: ok',
    'credential of hosts: ok',
  ]);
  expect(credentials[1]?.found).toMatch(/ has mode 604$/);
  expect(credentials[2]?.found).toMatch(/: the file does not exist$/);
  expect(findings.map(({ check }) => check)).toEqual(expect.arrayContaining(['git', 'ssh']));
});

test('programs are checked only if a registry needs them', async () => {
  const { registries } = configSchema.parse({
    registries: [{ name: 'local', file: { path: '/r.json' } }],
  });
  const findings = await checkMachine(await folder(), registries);
  expect(findings).toMatchObject([{ check: 'data directory', level: 'ok' }]);
});

test('a data directory can be missing, but its path cannot lead through a file', async () => {
  const directory = await folder();
  expect(await checkDataDir(path.join(directory, 'new', 'data'))).toMatch(/ is writable$/);
  const file = path.join(directory, 'file');
  await writeFile(file, '');
  expect(await checkDataDir(path.join(file, 'data'))).toMatchObject({
    level: 'problem',
    found: expect.stringContaining('ENOTDIR'),
  });
});
