import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { describeStatusPersistence } from '../testing/describe-status-persistence.ts';
import {
  createFileStatusPersistence,
  createInMemoryStatusPersistence,
} from './status-persistence.ts';

let directory: string;
let path: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'syncline-status-'));
  path = join(directory, 'data', 'status.json');
});
afterEach(() => rm(directory, { recursive: true, force: true }));

describeStatusPersistence('the file status persistence', async () =>
  createFileStatusPersistence({ path }),
);
describeStatusPersistence('the in-memory status persistence', async () =>
  createInMemoryStatusPersistence(),
);

test('another process reads all saved statuses from one complete file', async () => {
  const status = createFileStatusPersistence({ path });
  await Promise.all(
    ['alpha', 'beta', 'gamma'].map((registry) =>
      status.save(registry, { term: '1', message: registry }, { expected: undefined }),
    ),
  );
  const reopened = await createFileStatusPersistence({ path }).list();
  expect([...reopened].map(([name, { message }]) => [name, message])).toEqual([
    ['alpha', 'alpha'],
    ['beta', 'beta'],
    ['gamma', 'gamma'],
  ]);
  expect(await readdir(join(directory, 'data'))).toEqual(['status.json']);
});

test('a save that could not be written can be retried', async () => {
  const status = createFileStatusPersistence({ path });
  await status.save('alpha', { term: '1', owner: 'alice' }, { expected: undefined });
  // A folder in its place makes the next write fail.
  await rm(path);
  await mkdir(path);
  const finish = () => status.save('alpha', { owner: undefined }, { expected: '1:alice' });
  await expect(finish()).rejects.toThrow();
  expect(await status.load('alpha')).toMatchObject({ owner: 'alice' });
  await rm(path, { recursive: true });
  expect(await finish()).toBe(true);
  expect(JSON.parse(await readFile(path, 'utf8')).registries.alpha).toEqual(
    expect.not.objectContaining({ owner: expect.anything() }),
  );
});

test.each(['{"v":2,"registries":{}}', 'no JSON', '{"v":1,"registries":{"a":{"phase":"Odd"}}}'])(
  'a file with the invalid content %s is rejected and left unchanged',
  async (text) => {
    await mkdir(join(directory, 'data'));
    await writeFile(path, text);
    const status = createFileStatusPersistence({ path });
    await expect(status.load('alpha')).rejects.toMatchObject({ code: 'store-corrupt' });
    await expect(
      status.save('alpha', { term: '1' }, { expected: undefined }),
    ).rejects.toMatchObject({ code: 'store-corrupt' });
    expect(await readFile(path, 'utf8')).toBe(text);
  },
);

test('a file that cannot be read is an error, not an empty status', async () => {
  await mkdir(path, { recursive: true });
  await expect(createFileStatusPersistence({ path }).load('alpha')).rejects.toMatchObject({
    code: 'EISDIR',
  });
});
