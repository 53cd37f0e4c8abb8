import {
  appendFile,
  chmod,
  mkdir,
  readdir,
  rm,
  stat,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { fetchAll, gitSource, testGit, testRepository } from '../../testing/git/git-harness.ts';
import type { TestRepository } from '../../testing/git/test-repository.ts';
import { sourceContext } from '../../testing/source-context.ts';
import type { Git } from '../git.ts';
import { CloneCache } from './clone-cache.ts';

const ONE = { 'registry.json': '{"servers":[1]}' };
const TWO = { 'registry.json': '{"servers":[1,2]}' };

let repository: TestRepository;
let git: Git;
let clones: string;
beforeEach(async () => {
  repository = await testRepository();
  ({ git, clones } = await testGit());
});

const source = () => gitSource(git, { repository: repository.directory });

/** Returns the path of the only kept clone. */
async function keptClone(): Promise<string> {
  const names = await readdir(clones);
  expect(names).toEqual([expect.stringMatching(/^[0-9a-f]{32}$/)]);
  return join(clones, names[0] ?? '');
}

test('only the owner can read clones, also in a folder of an earlier version', async () => {
  await mkdir(clones, { recursive: true, mode: 0o755 });
  await repository.commit(ONE);
  await fetchAll(source());
  for (const directory of [clones, await keptClone()]) {
    expect((await stat(directory)).mode & 0o777, directory).toBe(0o700);
  }
});

describe('a kept clone', () => {
  test('is reused by the next run', async () => {
    await repository.commit(ONE);
    await fetchAll(source());
    await writeFile(join(await keptClone(), 'mark'), '');
    await repository.commit(TWO);
    expect((await fetchAll(source())).files).toEqual(TWO);
    expect(await readdir(await keptClone())).toContain('mark');
  });

  test('that was deleted is replaced', async () => {
    await repository.commit(ONE);
    await fetchAll(source());
    await rm(clones, { recursive: true });
    expect((await fetchAll(source())).files).toEqual(ONE);
    await keptClone();
  });

  test.each<[what: string, damage: (clone: string) => Promise<unknown>]>([
    ['has lost its objects', (clone) => rm(join(clone, 'objects'), { recursive: true })],
    ['has lost its head', (clone) => rm(join(clone, 'HEAD'))],
    ['has a broken config', (clone) => writeFile(join(clone, 'config'), '[core\n')],
    ['has a broken ref', (clone) => writeFile(join(clone, 'refs/syncline/head'), 'nonsense\n')],
    ['has truncated packs', (clone) => onPacks(clone, (path) => truncate(path, 40))],
    ['has packs with extra bytes', (clone) => onPacks(clone, (path) => appendFile(path, 'more'))],
    ['has lost its packs', (clone) => onPacks(clone, (path) => rm(path))],
    ['was left locked', (clone) => writeFile(join(clone, 'shallow.lock'), '')],
    ['has a locked ref', (clone) => writeFile(join(clone, 'refs/syncline/head.lock'), '')],
    ['is a file', (clone) => rm(clone, { recursive: true }).then(() => writeFile(clone, ''))],
  ])('that %s is cloned again', async (_, damage) => {
    await repository.commit(ONE);
    await fetchAll(source());
    await damage(await keptClone());
    await repository.commit(TWO);
    expect((await fetchAll(source())).files).toEqual(TWO);
    expect((await fetchAll(source())).files).toEqual(TWO);
    await keptClone();
  });

  test('that has grown by many fetches is replaced', async () => {
    await repository.commit(ONE);
    await fetchAll(source());
    const clone = await keptClone();
    await writeFile(join(clone, 'mark'), '');
    for (let index = 0; index < 50; index += 1) {
      await writeFile(join(clone, `objects/pack/pack-${index}.pack`), '');
    }
    expect((await fetchAll(source())).files).toEqual(ONE);
    expect(await readdir(await keptClone())).not.toContain('mark');
  });

  test('survives a failure of the upstream', async () => {
    await repository.commit(ONE);
    await fetchAll(source());
    await writeFile(join(await keptClone(), 'mark'), '');
    await expect(
      fetchAll(gitSource(git, { repository: repository.directory, branch: 'nowhere' })),
    ).rejects.toMatchObject({ code: 'source-ref-missing' });
    expect(await readdir(await keptClone())).toContain('mark');
  });

  test('is not shared by simultaneous runs', async () => {
    await repository.commit(ONE);
    await fetchAll(source());
    const found = await Promise.all([1, 2, 3].map(() => fetchAll(source())));
    expect(found.map(({ files }) => files)).toEqual([ONE, ONE, ONE]);
    await keptClone();
  });

  test('of an aborted run is deleted', async () => {
    await repository.commit(ONE);
    await fetchAll(source());
    const abort = new AbortController();
    const reason = new Error('the run’s time is up');
    const context = sourceContext({ signal: abort.signal });
    const take = async () => {
      abort.abort(reason);
      throw reason;
    };
    await expect(source().fetch(take, context)).rejects.toBe(reason);
    expect(await readdir(clones)).toEqual([]);
    expect((await fetchAll(source())).files).toEqual(ONE);
  });

  test('that exceeds the size limit is rejected', async () => {
    const small = await testGit({ limits: { maxCloneBytes: 10_000 } });
    const noise = Array.from({ length: 10_000 }, (_, index) => Math.sin(index)).join();
    await repository.commit({ 'registry.json': noise });
    await expect(
      fetchAll(gitSource(small.git, { repository: repository.directory })),
    ).rejects.toMatchObject({
      code: 'source-too-large',
      message: expect.stringContaining('more than 10000 bytes, which is the limit'),
    });
    expect(await readdir(small.clones)).toEqual([]);
  });
});

describe('clean-up of clones', () => {
  const HOUR_MS = 3_600_000;
  const own = hostname().replaceAll(/[^\w-]/g, '');

  test.each<[what: string, name: string, ageHours: number, isKept: boolean]>([
    ['keeps a clone that was used within a week', 'a'.repeat(32), 6 * 24, true],
    ['deletes a clone that was not used for a week', 'a'.repeat(32), 7 * 24 + 1, false],
    ['deletes a clone of a dead process on this host', `a.${own}.4194304.x.1`, 0, false],
    [
      'deletes a clone of an earlier process with our process id',
      `a.${own}.${process.pid}.x.1`,
      0,
      false,
    ],
    ['keeps a clone of a live process on this host', `a.${own}.${process.ppid}.x.1`, 0, true],
    ['keeps a recent clone of a process on another host', 'a.elsewhere.4194304.x.1', 23, true],
    ['deletes an old clone of a process on another host', 'a.elsewhere.4194304.x.1', 25, false],
  ])('%s', async (_, name, ageHours, isKept) => {
    const cache = new CloneCache(clones);
    const { directory } = await new CloneCache(clones).claim('other');
    const path = join(clones, name);
    await writeFile(path, '');
    const then = new Date(Date.now() - ageHours * HOUR_MS);
    await utimes(path, then, then);
    await cache.claim('mine');
    const names = await readdir(clones);
    expect(names.includes(name)).toBe(isKept);
    expect(directory).toContain(clones);
  });
});

async function onPacks(clone: string, change: (path: string) => Promise<void>): Promise<void> {
  const directory = join(clone, 'objects', 'pack');
  for (const name of await readdir(directory)) {
    if (!name.endsWith('.pack')) continue;
    await chmod(join(directory, name), 0o644);
    await change(join(directory, name));
  }
}
