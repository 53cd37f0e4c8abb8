import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { readAdminToken } from './control-policy.ts';

describe('the admin token', () => {
  async function file(content: string) {
    const directory = await mkdtemp(join(tmpdir(), 'syncline-token-'));
    onTestFinished(() => rm(directory, { recursive: true }));
    const path = join(directory, 'token');
    await writeFile(path, content);
    return path;
  }

  test('is read from a file with a single word', async () => {
    expect(await readAdminToken(await file('sesame\n'))).toBe('sesame');
  });

  test.each(['', ' \n', 'two words', 'two\nlines'])(
    'is rejected if the file contains %j',
    async (content) => {
      await expect(readAdminToken(await file(content))).rejects.toMatchObject({
        code: 'config-invalid',
        message: expect.not.stringContaining('words'),
      });
    },
  );

  test('is rejected if the file does not exist', async () => {
    await expect(readAdminToken('/nonexistent/token')).rejects.toMatchObject({
      code: 'config-invalid',
    });
  });
});
