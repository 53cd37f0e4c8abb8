import { readFile } from 'node:fs/promises';
import { SynclineError } from '@syncline/contract';

/**
 * The token in a file, without the white space around it.
 *
 * @throws {SynclineError} `config-invalid` where the file cannot be read or has no usable token in it;
 * control without a token must never come of a wrong path
 */
export async function readAdminToken(path: string): Promise<string> {
  const token = (await readText(path)).trim();
  if (/^\S+$/.test(token)) return token;
  throw new SynclineError(
    'config-invalid',
    `SYNCLINE_ADMIN_TOKEN_FILE: ${path} has no token in it`,
    {
      expected: 'one word',
    },
  );
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new SynclineError('config-invalid', `SYNCLINE_ADMIN_TOKEN_FILE: cannot read ${path}`, {
      cause: error,
    });
  }
}
