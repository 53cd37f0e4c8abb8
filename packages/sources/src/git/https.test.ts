import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createCertificate } from '../testing/certificate.ts';
import {
  fetchAll,
  gitSource,
  testGit,
  testGitServer,
  testRepository,
} from '../testing/git/git-harness.ts';
import { trustedCertificates } from './access/access.ts';
import type { GitOptions } from './git.ts';

const ONE = { 'registry.json': '{"servers":[1]}' };
const certificate = createCertificate();

async function setUp(options: Partial<GitOptions>) {
  const repository = await testRepository();
  await repository.commit(ONE);
  const server = await testGitServer({ root: repository.root, tls: certificate });
  const { git, dataDir } = await testGit(options);
  const source = () => gitSource(git, { repository: `${server.url}/${repository.name}` });
  return { source, directory: join(dataDir, 'git') };
}

describe('git over HTTPS', () => {
  test('rejects a server with an untrusted certificate', async () => {
    const { source } = await setUp({});
    await expect(fetchAll(source())).rejects.toMatchObject({
      code: 'source-unreachable',
      message: expect.stringMatching(/certificate/),
    });
  });

  test('trusts the certificate authorities that this process trusts', async () => {
    const certificates = () => [...trustedCertificates(), certificate.cert];
    const { source, directory } = await setUp({ certificates });
    expect((await fetchAll(source())).files).toEqual(ONE);
    // The list of certificates may be deleted at any time.
    const lists = (await readdir(directory)).filter((name) => name.endsWith('.pem'));
    expect(lists).toHaveLength(1);
    await rm(join(directory, lists[0] ?? ''));
    expect((await fetchAll(source())).files).toEqual(ONE);
  });
});

test('the certificate authorities of Node and of the system are trusted', () => {
  expect(trustedCertificates().length).toBeGreaterThan(50);
});
