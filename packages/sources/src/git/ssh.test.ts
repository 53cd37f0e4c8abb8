import { spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createAddressGuard } from '../network/address-guard.ts';
import { fetchAll, gitSource, testGit, testRepository } from '../testing/git/git-harness.ts';
import { startGitSshServer } from '../testing/git/git-ssh-server.ts';
import { sourceContext } from '../testing/source-context.ts';
import type { GitOptions } from './git.ts';

const ONE = { 'registry.json': '{"servers":[1]}' };

const hasSsh = spawnSync('ssh', ['-V']).error === undefined;
if (!hasSsh) console.warn('there is no ssh here: what goes over ssh is not tested');

async function setUp(options: Partial<GitOptions> = {}) {
  const repository = await testRepository();
  const server = await startGitSshServer();
  onTestFinished(() => server.close());
  const { git } = await testGit(options);
  const { keyFile: sshKeyFile, knownHostsFile } = server;
  return {
    repository,
    server,
    source: (auth: object = {}, host = '127.0.0.1') =>
      gitSource(git, {
        repository: `ssh://git@${host}:${server.port}${repository.directory}`,
        auth: { sshKeyFile, knownHostsFile, ...auth },
      }),
  };
}

describe.skipIf(!hasSsh)('git over SSH', () => {
  test('reads a repository with a key, from a known host', async () => {
    const { repository, server, source } = await setUp();
    const commit = await repository.commit(ONE);
    expect(await fetchAll(source())).toMatchObject({ files: ONE, revision: commit });
    expect(await source().probe(commit, sourceContext())).toEqual({ state: 'unchanged' });
    const command = `git-upload-pack '${repository.directory}'`;
    expect(server.commands).toEqual([command, command, command]);
  });

  test('uses keys only below the credential directories', async () => {
    const { repository, server, source } = await setUp({ credentialDirs: ['/nowhere'] });
    await repository.commit(ONE);
    await expect(fetchAll(source())).rejects.toMatchObject({ code: 'source-credential-refused' });
    expect(server.commands).toEqual([]);
  });

  test('rejects a host with an unexpected key', async () => {
    const { server, source } = await setUp();
    const auth = { knownHostsFile: server.wrongKnownHostsFile };
    await expect(fetchAll(source(auth))).rejects.toMatchObject({
      code: 'source-git-failed',
      message: expect.stringContaining('Add the host key of the server to the known hosts file'),
    });
    expect(server.commands).toEqual([]);
  });

  test('rejects an unknown host', async () => {
    const { server, source } = await setUp();
    const knownHostsFile = join(server.directory, 'other hosts');
    await writeFile(knownHostsFile, '# nobody\n');
    await expect(fetchAll(source({ knownHostsFile }))).rejects.toMatchObject({
      code: 'source-git-failed',
      message: expect.stringContaining('Add the host key of the server to the known hosts file'),
    });
    expect(server.commands).toEqual([]);
  });

  test('reports a key that the server rejects', async () => {
    const { server, source } = await setUp();
    await expect(fetchAll(source({ sshKeyFile: server.otherKeyFile }))).rejects.toMatchObject({
      code: 'source-git-failed',
      message: expect.stringContaining('Use a key that the server accepts'),
    });
  });

  test.each<[what: string, text: string, mode: number]>([
    ['is empty', '', 0o600],
    ['is not a key', 'hunter2\n', 0o600],
  ])('rejects a key file that %s', async (_, text, mode) => {
    const { server, source } = await setUp();
    const sshKeyFile = join(server.directory, 'no key');
    await writeFile(sshKeyFile, text, { mode });
    await expect(fetchAll(source({ sshKeyFile }))).rejects.toMatchObject({
      code: 'source-credential-unreadable',
      message: expect.not.stringContaining('hunter2'),
    });
  });

  test('rejects a key file that is missing', async () => {
    const { server, source } = await setUp();
    const sshKeyFile = join(server.directory, 'nowhere');
    await expect(source({ sshKeyFile }).probe('x', sourceContext())).rejects.toMatchObject({
      code: 'source-credential-unreadable',
      message: expect.stringContaining(sshKeyFile),
    });
  });

  test('connects to the address that was checked', async () => {
    const { repository, server, source } = await setUp({
      guard: createAddressGuard({
        allow: () => ['git.invalid'],
        lookup: async () => [{ address: '127.0.0.1', family: 4 }],
      }),
    });
    const commit = await repository.commit(ONE);
    // No resolver knows this name. The host key is stored under the name, not the address.
    const knownHostsFile = join(server.directory, 'named hosts');
    await writeFile(knownHostsFile, `[git.invalid]:${server.port} ${server.hostKey}\n`);
    const found = await fetchAll(source({ knownHostsFile }, 'git.invalid'));
    expect(found).toMatchObject({ files: ONE, revision: commit });
  });

  test('blocks an address on this machine unless the config allows it', async () => {
    const { server, source } = await setUp({ guard: createAddressGuard({ allow: () => [] }) });
    await expect(fetchAll(source())).rejects.toMatchObject({ code: 'source-address-refused' });
    expect(server.commands).toEqual([]);
  });
});
