import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { fetchAll, gitSource, testGit, testRepository } from '../testing/git/git-harness.ts';
import { SEARCH_PATH } from '../testing/git/search-path.ts';
import { sourceContext } from '../testing/source-context.ts';

const ONE = { 'registry.json': '{"servers":[1]}' };
const TWO = { 'registry.json': '{"servers":[1,2]}' };

/** A repository on this machine, and a git to read it. */
async function setUp(options: Parameters<typeof testRepository>[0] = {}) {
  const repository = await testRepository(options);
  const { git, clones } = await testGit();
  return {
    repository,
    git,
    clones,
    source: (config: Readonly<Record<string, unknown>> = {}) =>
      gitSource(git, { repository: repository.directory, ...config }),
  };
}

describe('a git source reads', () => {
  test('the default branch if none is configured', async () => {
    const { repository, source } = await setUp();
    const commit = await repository.commit(ONE);
    expect(await fetchAll(source())).toMatchObject({ files: ONE, revision: commit });
  });

  test('a branch', async () => {
    const { repository, source } = await setUp();
    await repository.commit(ONE);
    await repository.git('checkout', '-q', '-b', 'teams/blue');
    const commit = await repository.commit(TWO);
    await repository.git('checkout', '-q', 'main');
    const found = await fetchAll(source({ branch: 'teams/blue' }));
    expect(found).toMatchObject({ files: TWO, revision: commit });
  });

  test.each([
    ['a lightweight tag', ['tag', 'v1']],
    ['an annotated tag', ['tag', '--annotate', '--message=one', 'v1']],
  ])('%s, with its commit as the revision', async (_, args) => {
    const { repository, source } = await setUp();
    const commit = await repository.commit(ONE);
    await repository.git(...args);
    await repository.commit(TWO);
    const found = await fetchAll(source({ tag: 'v1' }));
    expect(found).toMatchObject({ files: ONE, revision: commit });
    const probe = await source({ tag: 'v1' }).probe(commit, sourceContext());
    expect(probe).toEqual({ state: 'unchanged' });
  });

  test('a tag that moved', async () => {
    const { repository, source } = await setUp();
    const first = await repository.commit(ONE);
    await repository.git('tag', '--annotate', '--message=one', 'latest');
    await fetchAll(source({ tag: 'latest' }));
    const second = await repository.commit(TWO);
    await repository.git('tag', '--force', 'latest');
    const probe = await source({ tag: 'latest' }).probe(first, sourceContext());
    expect(probe).toEqual({ state: 'changed' });
    const found = await fetchAll(source({ tag: 'latest' }));
    expect(found).toMatchObject({ files: TWO, revision: second });
  });

  test('a commit, without requests once the clone has it', async () => {
    const { repository, source } = await setUp();
    const commit = await repository.commit(ONE);
    await repository.commit(TWO);
    const found = await fetchAll(source({ commit }));
    expect(found).toMatchObject({ files: ONE, revision: commit });
    await repository.remove();
    const context = sourceContext();
    expect(await source({ commit }).probe(commit, context)).toEqual({ state: 'unchanged' });
    expect((await fetchAll(source({ commit }), context)).files).toEqual(ONE);
    expect(context.upstream.requests).toBe(0);
  });

  test('a rewritten history', async () => {
    const { repository, source } = await setUp();
    const first = await repository.commit(ONE);
    await fetchAll(source({ branch: 'main' }));
    const second = await repository.rewrite(TWO);
    expect(await source({ branch: 'main' }).probe(first, sourceContext())).toEqual({
      state: 'changed',
    });
    const found = await fetchAll(source({ branch: 'main' }));
    expect(found).toMatchObject({ files: TWO, revision: second });
  });

  test('a repository with SHA-256 object ids', async () => {
    const { repository, source } = await setUp({ objectFormat: 'sha256' });
    const commit = await repository.commit(ONE);
    expect(commit).toHaveLength(64);
    expect(await fetchAll(source())).toMatchObject({ files: ONE, revision: commit });
    expect(await fetchAll(source({ commit }))).toMatchObject({ files: ONE, revision: commit });
  });

  test('a file URL', async () => {
    const { repository, source } = await setUp();
    const commit = await repository.commit(ONE);
    const found = await fetchAll(source({ repository: `file://${repository.directory}` }));
    expect(found.revision).toBe(commit);
  });
});

describe('the cost of a git source', () => {
  test('is one call for a probe without a change', async () => {
    const { repository, source } = await setUp();
    const { revision } = { revision: await repository.commit(ONE) };
    const context = sourceContext();
    expect(await source().probe(revision, context)).toEqual({ state: 'unchanged' });
    expect(context.upstream).toEqual({ requests: 1, bytes: `${revision}\tHEAD\n`.length });
  });

  test('is the transfer of the changed files only', async () => {
    const { repository, source } = await setUp();
    const random = Array.from({ length: 20_000 }, (_, index) => Math.sin(index)).join();
    await repository.commit({ ...ONE, 'large.txt': random, 'other/large.json': `${random}!` });
    const first = await fetchAll(source());
    expect(first.upstream.bytes).toBeLessThan(2_000);
    await repository.commit({ ...TWO, 'large.txt': `${random}?` });
    const second = await fetchAll(source());
    expect(second.files).toEqual(TWO);
    // The first request gets the commit with its folders, and the second gets the file.
    expect(second.upstream.requests).toBe(2);
    expect(second.upstream.bytes).toBeLessThan(1_000);
  });

  test('includes all files once if the server cannot filter', async () => {
    const { repository, source } = await setUp({ config: ['uploadpack.allowFilter=false'] });
    await repository.commit(ONE);
    const { files } = await fetchAll(source());
    expect(files).toEqual(ONE);
  });
});

describe('a git source reports', () => {
  test.each([
    ['branch', 'nowhere', 'has no branch nowhere'],
    ['tag', 'v9', 'has no tag v9'],
  ])('a %s that does not exist', async (kind, name, message) => {
    const { repository, source } = await setUp();
    const commit = await repository.commit(ONE);
    const missing = { code: 'source-ref-missing', message: expect.stringContaining(message) };
    const config = { [kind]: name };
    await expect(fetchAll(source(config))).rejects.toMatchObject(missing);
    await expect(source(config).probe(commit, sourceContext())).rejects.toMatchObject(missing);
  });

  test('a branch that does not exist, even if another one ends with its name', async () => {
    const { repository, source } = await setUp();
    await repository.commit(ONE);
    await repository.git('branch', 'old/refs/heads/new');
    const missing = { code: 'source-ref-missing' };
    const probing = source({ branch: 'new' }).probe('x', sourceContext());
    await expect(probing).rejects.toMatchObject(missing);
  });

  test('a commit that does not exist', async () => {
    const { repository, source } = await setUp();
    await repository.commit(ONE);
    await expect(fetchAll(source({ commit: 'a'.repeat(40) }))).rejects.toMatchObject({
      code: 'source-ref-missing',
    });
  });

  test('a tag of an object that is not a commit', async () => {
    const { repository, source } = await setUp();
    await repository.commit(ONE);
    await repository.git('tag', 'odd', 'HEAD:registry.json');
    await expect(fetchAll(source({ tag: 'odd' }))).rejects.toMatchObject({
      code: 'source-ref-missing',
      message: expect.stringContaining('is not a commit'),
    });
  });

  test('a repository without a commit', async () => {
    const { source } = await setUp();
    await expect(fetchAll(source())).rejects.toMatchObject({ code: 'source-ref-missing' });
    const probing = source().probe('x', sourceContext());
    await expect(probing).rejects.toMatchObject({ code: 'source-ref-missing' });
  });

  test('a repository that is gone, and reads the one that replaces it', async () => {
    const { repository, source } = await setUp();
    await repository.commit(ONE);
    const { revision } = await fetchAll(source());
    await repository.remove();
    const gone = {
      code: 'source-unreachable',
      message: expect.stringContaining(repository.directory),
    };
    await expect(source().probe(revision, sourceContext())).rejects.toMatchObject(gone);
    await expect(fetchAll(source())).rejects.toMatchObject(gone);
    await repository.init();
    const commit = await repository.commit(TWO);
    expect(await fetchAll(source())).toMatchObject({ files: TWO, revision: commit });
  });

  test('an upstream that already fails after one request per attempt', async () => {
    const { repository, source } = await setUp();
    await repository.remove();
    for (const [consecutiveFailures, requests] of [
      [0, 2],
      [1, 1],
    ] as const) {
      const context = sourceContext({ consecutiveFailures });
      const one = source();
      await expect(one.probe('x', context)).rejects.toThrow();
      await expect(fetchAll(one, context)).rejects.toMatchObject({ code: 'source-unreachable' });
      expect(context.upstream.requests).toBe(requests);
    }
  });

  test('a missing git program', async () => {
    const repository = await testRepository();
    const { git } = await testGit({ searchPath: '/nowhere' });
    const source = gitSource(git, { repository: repository.directory });
    const missing = {
      code: 'source-git-failed',
      message:
        'cannot run git: not found. Install git 2.39.4 or newer on every machine with a worker',
    };
    await expect(source.probe('x', sourceContext())).rejects.toMatchObject(missing);
    await expect(fetchAll(source)).rejects.toMatchObject(missing);
  });

  test('a git program with known vulnerabilities, until it is replaced', async () => {
    const repository = await testRepository();
    await repository.commit(ONE);
    const directory = await mkdtemp(join(tmpdir(), 'syncline-old-git-'));
    onTestFinished(() => rm(directory, { recursive: true, force: true }));
    await writeFile(join(directory, 'git'), '#!/bin/sh\necho git version 2.30.2\n', {
      mode: 0o755,
    });
    const { git } = await testGit({ searchPath: `${directory}:${SEARCH_PATH}` });
    const source = () => gitSource(git, { repository: repository.directory });
    const tooOld = {
      code: 'source-git-failed',
      message:
        'git version 2.30.2 is too old and has known vulnerabilities. Install git 2.39.4 or newer on every machine with a worker',
    };
    await expect(source().probe('x', sourceContext())).rejects.toMatchObject(tooOld);
    await expect(fetchAll(source())).rejects.toMatchObject(tooOld);
    await rm(join(directory, 'git'));
    expect((await fetchAll(source())).files).toEqual(ONE);
  });

  test('an abort before the first request', async () => {
    const { repository, source } = await setUp();
    await repository.commit(ONE);
    const reason = new Error('the process stops');
    const context = sourceContext({ signal: AbortSignal.abort(reason) });
    await expect(source().probe('x', context)).rejects.toBe(reason);
    await expect(fetchAll(source(), context)).rejects.toBe(reason);
  });
});

test('a git source ignores the git config of the user and of the current directory', async () => {
  const { repository, source } = await setUp();
  await repository.commit(ONE);
  const other = await testRepository();
  await other.git('config', `url.${other.directory}.insteadOf`, repository.directory);
  const before = process.cwd();
  process.chdir(other.directory);
  try {
    expect((await fetchAll(source())).files).toEqual(ONE);
  } finally {
    process.chdir(before);
  }
});

test('a git source can be fetched more than once in a run, without further requests', async () => {
  const { repository, source } = await setUp();
  await repository.commit(ONE);
  const one = source();
  await fetchAll(one);
  const context = sourceContext();
  expect((await fetchAll(one, context)).files).toEqual(ONE);
  expect(context.upstream.requests).toBe(0);
});
