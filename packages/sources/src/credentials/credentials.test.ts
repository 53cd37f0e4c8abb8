import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readAccessHeaders } from './credentials.ts';

const SECRET = 'planted-secret-1f7c';

let directory: string;
let path: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'syncline-credential-'));
  path = join(directory, 'token');
});
afterEach(() => rm(directory, { recursive: true, force: true }));

describe('readAccessHeaders', () => {
  test('returns a bearer token, plain values, and values from files', async () => {
    await writeFile(path, `  ${SECRET}\r\n`);
    const headers = { 'X-Tenant': 'acme', 'X-Api-Key': { file: path } };
    expect(await readAccessHeaders({ auth: { tokenFile: path }, headers })).toEqual({
      authorization: `Bearer ${SECRET}`,
      'x-tenant': 'acme',
      'x-api-key': SECRET,
    });
    expect(await readAccessHeaders({})).toEqual({});
  });

  test('reads files again on each call, also through links', async () => {
    await writeFile(join(directory, 'one'), 'one');
    await writeFile(join(directory, 'two'), 'two');
    await symlink('one', path);
    const access = { auth: { tokenFile: path } };
    expect(await readAccessHeaders(access)).toEqual({ authorization: 'Bearer one' });
    await rm(path);
    await symlink('two', path);
    expect(await readAccessHeaders(access)).toEqual({ authorization: 'Bearer two' });
  });

  test.each<[what: string, make: () => Promise<unknown>, why: string]>([
    ['is missing', async () => {}, 'the file does not exist'],
    ['is empty', () => writeFile(path, ' \n'), 'the file is empty'],
    [
      'has two lines',
      () => writeFile(path, `${SECRET}\n${SECRET}`),
      'the file has characters that are not printable ASCII',
    ],
    [
      'has a control character',
      () => writeFile(path, `${SECRET}\0`),
      'the file has characters that are not printable ASCII',
    ],
    [
      'has non-ASCII letters',
      () => writeFile(path, `${SECRET}ü`),
      'the file has characters that are not printable ASCII',
    ],
    [
      'is binary',
      () => writeFile(path, Buffer.from([0xff, 0xfe, 65])),
      'the file has characters that are not printable ASCII',
    ],
    ['is large', () => writeFile(path, SECRET.repeat(1_000)), 'the file is too large'],
    ['is a directory', () => mkdir(path), 'it is not a file'],
    ['is a pipe', async () => execFileSync('sh', ['-c', 'mkfifo "$0"', path]), 'it is not a file'],
  ])(
    'an error names a file that %s, and shows nothing of its contents',
    async (_what, make, why) => {
      await make();
      const error = await readAccessHeaders({ auth: { tokenFile: path } }).catch(
        (thrown: unknown) => thrown,
      );
      expect(error).toMatchObject({
        code: 'source-credential-unreadable',
        message: expect.stringContaining(`cannot read the credential in ${path}: ${why}`),
      });
      expect(String(error)).not.toContain(SECRET);
    },
  );
});

describe('with credential directories', () => {
  const read = (file: string, dirs: string[]) =>
    readAccessHeaders({ auth: { tokenFile: file } }, new Set(), dirs);
  const refused = { code: 'source-credential-refused' };
  let allowed: string;
  beforeEach(async () => {
    allowed = join(directory, 'allowed');
    await mkdir(allowed);
    await writeFile(path, SECRET);
    await writeFile(join(allowed, 'token'), SECRET);
  });

  test('files below them are read, also through links that stay below them', async () => {
    await mkdir(join(allowed, '..data'));
    await writeFile(join(allowed, '..data', 'mounted'), SECRET);
    await symlink(join('..data', 'mounted'), join(allowed, 'mounted'));
    await symlink(allowed, join(directory, 'link'));
    for (const [file, dir] of [
      [join(allowed, 'token'), allowed],
      [join(allowed, 'mounted'), allowed],
      [join(directory, 'link', 'token'), allowed],
      [join(allowed, 'token'), join(directory, 'link')],
      [join(allowed, 'token'), `${allowed}/`],
    ] as const) {
      expect(await read(file, ['/nowhere', dir]), file).toEqual({
        authorization: `Bearer ${SECRET}`,
      });
    }
  });

  test('files elsewhere are refused, also through links, and whether they exist or not', async () => {
    await symlink(path, join(allowed, 'out'));
    await symlink(directory, join(allowed, 'up'));
    await mkdir(`${allowed}-not`);
    await writeFile(join(`${allowed}-not`, 'token'), SECRET);
    for (const file of [
      path,
      join(directory, 'missing'),
      join(allowed, 'out'),
      join(allowed, 'up', 'token'),
      `${allowed}/../token`,
      join(`${allowed}-not`, 'token'),
      allowed,
    ]) {
      await expect(read(file, [allowed]), file).rejects.toMatchObject(refused);
    }
    await expect(read(path, [])).rejects.toMatchObject(refused);
    await expect(read(path, [allowed])).rejects.toThrow('SYNCLINE_CREDENTIAL_DIRS');
  });

  test('a missing file below them is reported as missing', async () => {
    await expect(read(join(allowed, 'missing'), [allowed])).rejects.toMatchObject({
      code: 'source-credential-unreadable',
      message: expect.stringContaining('the file does not exist'),
    });
  });
});
