import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { type RegistryConfig, SynclineError } from '@syncline/contract';

export type GitAuth = NonNullable<NonNullable<RegistryConfig['git']>['auth']>;

/** Keys of 16,384 bits fit. */
const MAX_CREDENTIAL_BYTES = 32 * 1024;

/** What a user logs in with over http. */
export interface PasswordCredential {
  readonly username: string;
  readonly password: string;
}

/**
 * Reads the password of a login, now, so that a new one counts from the next call on.
 *
 * @throws SynclineError `source-credential-unreadable`, which names the file and never what is in it
 */
export async function readPassword(
  auth: GitAuth | undefined,
): Promise<PasswordCredential | undefined> {
  const { username, passwordFile } = auth ?? {};
  if (username === undefined || passwordFile === undefined) return undefined;
  if (/\p{Cc}/u.test(username)) {
    throw new SynclineError(
      'source-credential-unreadable',
      'the user’s name has control characters',
    );
  }
  const password = (await readCredentialFile(passwordFile)).trim();
  if (password === '') throw unreadable(passwordFile, 'it is empty');
  if (/\p{Cc}/u.test(password)) throw unreadable(passwordFile, 'it holds more than one line');
  return { username, password };
}

/** Sees to it that ssh, which says little about a key that it cannot read, will find one. */
export async function checkCredentialFile(path: string): Promise<void> {
  if ((await readCredentialFile(path)).trim() === '') throw unreadable(path, 'it is empty');
}

async function readCredentialFile(path: string): Promise<string> {
  try {
    // Without waiting for somebody to write, where it is a pipe.
    await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    if (!(await file.stat()).isFile()) throw unreadable(path, 'it is no file');
    const { buffer, bytesRead } = await file.read(Buffer.alloc(MAX_CREDENTIAL_BYTES + 1));
    if (bytesRead > MAX_CREDENTIAL_BYTES) throw unreadable(path, 'it is too large');
    return buffer.toString('utf8', 0, bytesRead);
  } catch (error) {
    if (error instanceof SynclineError) throw error;
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    throw unreadable(path, code === 'ENOENT' ? 'there is no such file' : code);
  }
}

function unreadable(path: string, why: string): SynclineError {
  return new SynclineError(
    'source-credential-unreadable',
    `cannot take the credential from ${path}: ${why}`,
    { expected: 'a password in one line, or a private key' },
  );
}
