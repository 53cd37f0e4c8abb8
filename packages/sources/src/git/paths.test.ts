import { describe, expect, test } from 'vitest';
import { fetchAll, gitSource, testGit, testRepository } from '../testing/git/git-harness.ts';
import type { TestFile } from '../testing/git/test-repository.ts';
import { sourceContext } from '../testing/source-context.ts';
import type { RepositoryLimits } from './clone/clone.ts';

async function read(
  files: Readonly<Record<string, TestFile>>,
  path: string,
  limits: Partial<RepositoryLimits> = {},
) {
  const repository = await testRepository();
  await repository.commit(files);
  const { git } = await testGit({ limits });
  return fetchAll(gitSource(git, { repository: repository.directory, path }));
}

describe('a file path', () => {
  test.each([
    ['registry.json', 'json'],
    ['a/b/registry.yaml', 'yaml'],
    ['registry.YML', 'yaml'],
    ['registry', 'json'],
    ['with a blank/größe – 注册.json', 'json'],
    ['a"b\'c*?[1].json', 'json'],
    ['-rf.json', 'json'],
  ])('%s is read as %s', async (path, syntax) => {
    const found = await read({ [path]: 'text', 'other.json': 'other' }, path);
    expect(found).toMatchObject({ files: { [path]: 'text' }, syntaxes: [syntax] });
  });

  test('is normalised', async () => {
    const found = await read({ './a//b.json': 'text' }, './a//b.json');
    expect(found.files).toEqual({ 'a/b.json': 'text' });
  });

  test.each(['nothing.json', 'a/nothing.json', 'a/b.json/c.json'])(
    '%s that does not exist is rejected',
    async (path) => {
      await expect(read({ 'a/b.json': 'text' }, path)).rejects.toMatchObject({
        code: 'source-path-missing',
        message: `the repository has no ${path}`,
      });
    },
  );

  test('to an empty or a large file returns all of it', async () => {
    expect((await read({ 'a.json': '' }, 'a.json')).files).toEqual({ 'a.json': '' });
    const large = 'x\n'.repeat(500_000);
    expect((await read({ 'a.json': large }, 'a.json')).files).toEqual({ 'a.json': large });
  });

  test('to a file that is too large is rejected', async () => {
    await expect(
      read({ 'a.json': 'x'.repeat(101) }, 'a.json', { maxFileBytes: 100 }),
    ).rejects.toMatchObject({
      code: 'source-too-large',
      message: 'a.json has 101 bytes. The limit is 100',
    });
  });

  test('that becomes a folder, and then a file again, is read each time', async () => {
    const repository = await testRepository();
    const { git } = await testGit();
    const source = () =>
      gitSource(git, { repository: repository.directory, path: 'registry.json' });
    await repository.commit({ 'registry.json': 'file' });
    await fetchAll(source());
    await repository.commit({ 'registry.json': undefined, 'registry.json/a.json': 'a' });
    expect((await fetchAll(source())).files).toEqual({ 'registry.json/a.json': 'a' });
    await repository.commit({ 'registry.json': 'again' });
    expect((await fetchAll(source())).files).toEqual({ 'registry.json': 'again' });
  });
});

describe('a folder path', () => {
  test('returns the files of the folder and its subfolders, ordered by path', async () => {
    const found = await read(
      {
        's/b.json': '1',
        's/a.yaml': '2',
        's/a/z.yml': '3',
        's/B.JSON': '4',
        's/README.md': 'no',
        's/.hidden.json': 'no',
        's/.github/workflow.yml': 'no',
        'other.json': 'no',
      },
      's',
    );
    expect(Object.entries(found.files)).toEqual([
      ['s/B.JSON', '4'],
      ['s/a.yaml', '2'],
      ['s/a/z.yml', '3'],
      ['s/b.json', '1'],
    ]);
    expect(found.syntaxes).toEqual(['json', 'yaml', 'yaml', 'json']);
  });

  test('can be the whole repository', async () => {
    expect((await read({ 'a.json': '1', 'b/c.json': '2' }, '.')).files).toEqual({
      'a.json': '1',
      'b/c.json': '2',
    });
  });

  test('returns names without control characters', async () => {
    const found = await read({ 's/a\nb\u001b[31m\u202e.json': '1' }, 's');
    expect(Object.keys(found.files)).toEqual(['s/a\ufffdb\ufffd[31m\ufffd.json']);
  });

  test('to a thousand files is fetched with two calls', async () => {
    const names = Array.from({ length: 1_000 }, (_, index) => `s/${index}.json`);
    const files = Object.fromEntries(names.map((name) => [name, `{"name":"${name}"}`]));
    const found = await read(files, 's');
    expect(found.files).toEqual(files);
    expect(found.upstream.requests).toBe(2);
  });

  test('returns two identical files', async () => {
    expect((await read({ 's/a.json': '1', 's/b.json': '1' }, 's')).files).toEqual({
      's/a.json': '1',
      's/b.json': '1',
    });
  });

  test('to a folder without a readable file is rejected', async () => {
    await expect(read({ 's/README.md': 'no' }, 's')).rejects.toMatchObject({
      code: 'source-path-missing',
      message: expect.stringContaining('Add a .json, .yaml or .yml file to the folder'),
    });
  });

  test.each<[what: string, limits: Partial<RepositoryLimits>]>([
    ['files', { maxFiles: 1 }],
    ['entries', { maxEntries: 2 }],
    ['bytes', { maxTotalBytes: 3 }],
    ['depth', { maxDepth: 1 }],
  ])('that exceeds the limit on %s is rejected', async (_, limits) => {
    const files = { 's/a.json': '12', 's/b.json': '34', 's/c/d/e.txt': '' };
    await expect(read(files, 's', limits)).rejects.toMatchObject({ code: 'source-too-large' });
    expect(Object.keys((await read(files, 's')).files)).toHaveLength(2);
  });
});

describe('a symbolic link', () => {
  const FILES = { 'real/a.json': 'a', 'real/b.json': 'b' };

  test.each<[what: string, links: Readonly<Record<string, TestFile>>, path: string]>([
    ['to a file', { 'x.json': { link: 'real/a.json' } }, 'x.json'],
    ['up and down', { 'y/z/x.json': { link: '../.././real//a.json' } }, 'y/z/x.json'],
    ['through a folder', { folder: { link: 'real' } }, 'folder/a.json'],
    ['to a link', { 'x.json': { link: 'y.json' }, 'y.json': { link: 'real/a.json' } }, 'x.json'],
  ])('%s is followed', async (_, links, path) => {
    expect((await read({ ...FILES, ...links }, path)).files).toEqual({ [path]: 'a' });
  });

  test('in a folder is followed to files and folders', async () => {
    const found = await read(
      { ...FILES, 's/x.json': { link: '../real/a.json' }, 's/y': { link: '../real' } },
      's',
    );
    expect(found.files).toEqual({ 's/x.json': 'a', 's/y/a.json': 'a', 's/y/b.json': 'b' });
    // The first request gets the commit, the second gets both links, and the third gets the files.
    expect(found.upstream.requests).toBe(3);
  });

  test.each<[what: string, link: string]>([
    ['to an absolute path', '/etc/passwd'],
    ['above the root', '../../outside.json'],
    ['above the root and back', '../../registry.git/real/a.json'],
  ])('%s is rejected', async (_, link) => {
    const refused = {
      code: 'source-path-refused',
      message: expect.stringMatching(/^s\/x\.json leads out|^x\.json leads out/),
    };
    const files = { ...FILES, 's/x.json': { link }, 's/ok.json': 'ok' };
    await expect(read(files, 's/x.json')).rejects.toMatchObject(refused);
    await expect(read(files, 's')).rejects.toMatchObject(refused);
  });

  test('that forms a cycle is rejected', async () => {
    const circle = { 'x.json': { link: 'y.json' }, 'y.json': { link: 'x.json' } };
    await expect(read(circle, 'x.json')).rejects.toMatchObject({ code: 'source-path-refused' });
    const folder = { 's/a.json': 'a', 's/again': { link: '.' } };
    await expect(read(folder, 's')).rejects.toMatchObject({ code: 'source-path-refused' });
  });

  test('without a target is an error if it is named like a registry file, else it is skipped', async () => {
    const files = { 's/a.json': 'a', 's/note': { link: 'nothing' } };
    expect((await read(files, 's')).files).toEqual({ 's/a.json': 'a' });
    const broken = { ...files, 's/b.json': { link: 'nothing' } };
    await expect(read(broken, 's')).rejects.toMatchObject({
      code: 'source-path-missing',
      message: 'the repository has no s/b.json',
    });
  });
});

describe('a submodule', () => {
  async function withSubmodule() {
    const repository = await testRepository();
    const commit = await repository.commit({ 's/a.json': 'a' });
    await repository.git('update-index', '--add', '--cacheinfo', `160000,${commit},s/module`);
    await repository.git('commit', '--quiet', '--message=submodule');
    const { git } = await testGit();
    return (path: string) => fetchAll(gitSource(git, { repository: repository.directory, path }));
  }

  test.each(['s', 's/module', 's/module/registry.json'])('at %s is rejected', async (path) => {
    const readPath = await withSubmodule();
    await expect(readPath(path)).rejects.toMatchObject({
      code: 'source-path-refused',
      message: expect.stringContaining('submodule'),
    });
  });

  test('outside the path is ignored', async () => {
    const readPath = await withSubmodule();
    expect((await readPath('s/a.json')).files).toEqual({ 's/a.json': 'a' });
  });
});

test('a fetch reports its progress', async () => {
  const repository = await testRepository();
  await repository.commit({ 's/a.json': 'a', 's/b.json': 'b' });
  const { git } = await testGit();
  const context = sourceContext();
  await fetchAll(gitSource(git, { repository: repository.directory, path: 's' }), context);
  expect(context.reports).toEqual([`fetching ${repository.directory}`, 'reading 2 files']);
});
