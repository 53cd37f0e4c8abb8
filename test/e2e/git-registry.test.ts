import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { parseConfig } from '@syncline/runtime/config';
import { startGitHttpServer, TestRepository } from '@syncline/sources/testing';
import { expect, test } from 'vitest';
import { testLifetime } from '../support/lifetime.ts';
import { projectRoot } from '../support/project.ts';
import { startSystem } from '../support/system.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { untilComplete } from '../support/until-registry.ts';

const LOGIN = { username: 'mirror', password: 'hunter2-in-a-file' };

const fileOf = (...names: readonly string[]) =>
  JSON.stringify({
    servers: names.map((name) => ({
      server: { name: `com.example/${name}`, description: 'A server', version: '1.0.0' },
    })),
  });

/** The example, with a server that exists, and a password. */
async function exampleFor(url: string) {
  const passwordFile = path.join(await temporaryDirectory(), 'password');
  await writeFile(passwordFile, `${LOGIN.password}\n`);
  const example = path.join(projectRoot, 'examples/git.yaml');
  const text = await readFile(example, 'utf8');
  const { input } = parseConfig(
    example,
    text
      .replace('https://git.example.com/mcp.git', url)
      .replace('/run/secrets/git-password', passwordFile),
  );
  return { network: { allow: ['127.0.0.1/32'] }, ...input };
}

test('the git example and its changes are synced, and its password appears nowhere', async () => {
  const repository = await TestRepository.create();
  testLifetime.defer(() => repository[Symbol.asyncDispose]());
  const server = await startGitHttpServer({ root: repository.root, login: LOGIN });
  testLifetime.defer(() => server.close());
  await repository.commit({ 'servers/a.json': fileOf('a'), 'servers/more/b.json': fileOf('b') });
  const config = await exampleFor(`${server.url}/${repository.name}`);
  const dataDir = await temporaryDirectory();

  const system = await startSystem({ config, env: { SYNCLINE_DATA_DIR: dataDir }, workers: 1 });
  const { client } = system;
  await untilComplete(client, 'team');
  const names = async () => (await client.allServers('team')).map((row) => row.server.name);
  expect(await names()).toEqual(['com.example/a', 'com.example/b']);
  expect((await client.sync('team')).outcome).toBe('unchanged');

  const commit = await repository.commit({
    'servers/a.json': undefined,
    'servers/c.json': fileOf('c'),
  });
  const run = await client.sync('team');
  expect(run).toMatchObject({ outcome: 'published', diff: { added: 1, removed: 1 } });
  expect(await names()).toEqual(['com.example/b', 'com.example/c']);
  const registry = await client.registry('team');
  expect(registry.status.revision).toBe(commit);

  await repository.remove();
  expect(await client.sync('team')).toMatchObject({
    outcome: 'failed',
    error: { code: 'source-http-status' },
  });
  expect(await names()).toEqual(['com.example/b', 'com.example/c']);
  for (const worker of system.workers)
    expect(worker.output.tail(10_000)).not.toContain(LOGIN.password);
});
