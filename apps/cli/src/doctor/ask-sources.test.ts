import { once } from 'node:events';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { configSchema } from '@syncline/contract';
import { readEnv } from '@syncline/runtime';
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { observeMachine } from './machine.ts';
import { askSources } from './sources.ts';

const OPTIONS = { timeoutMs: 3_000, concurrency: 2, env: readEnv({}) };

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

/** A config that may ask this machine, and what each of its registries comes to. */
async function ask(registries: readonly object[]) {
  const network = { allow: ['127.0.0.1/32'] };
  const config = configSchema.parse({ registries, network });
  const facts = await askSources(config, OPTIONS);
  return Object.fromEntries(facts.map(({ registry, trouble }) => [registry, trouble?.code]));
}

test('each source is asked once, for as little as shows that it answers', async () => {
  const asked: string[] = [];
  const endpoint = await serve((request, response) => {
    asked.push(request.url ?? '');
    response.end(JSON.stringify({ servers: [], metadata: { nextCursor: 'more' } }));
  });
  expect(await ask([{ name: 'one', api: { endpoint } }])).toEqual({ one: undefined });
  expect(asked).toEqual([expect.stringMatching(/^\/v0\.1\/servers\?/)]);
});

test('what is wrong with a source has the code that a run would have', async () => {
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
    there: undefined,
    gone: 'source-file-missing',
    refusing: 'source-http-status',
    html: 'source-not-json',
    silent: 'source-timeout',
  });
});

test('credential files are looked at without being read', async () => {
  const directory = await folder();
  const tokenFile = path.join(directory, 'token');
  await writeFile(tokenFile, 'secret');
  await chmod(tokenFile, 0o604);
  const headerFile = path.join(directory, 'gone');
  const { registries } = configSchema.parse({
    registries: [
      {
        name: 'team',
        api: {
          endpoint: 'https://x.example',
          auth: { tokenFile },
          headers: { 'X-Key': { file: headerFile } },
        },
      },
      { name: 'code', git: { repository: 'git@x.example:mcp.git' } },
    ],
  });
  const { credentials, git, ssh, dataDirTrouble } = await observeMachine(
    path.join(tokenFile, 'data'),
    registries,
  );
  expect(credentials).toMatchObject([
    { path: tokenFile, state: { kind: 'readable', mode: 0o100604 } },
    { path: headerFile, state: { kind: 'unreadable', reason: 'there is no such file' } },
  ]);
  expect({ git: git.isNeeded, ssh: ssh.isNeeded }).toEqual({ git: true, ssh: true });
  expect(dataDirTrouble).toContain('ENOTDIR');
});
