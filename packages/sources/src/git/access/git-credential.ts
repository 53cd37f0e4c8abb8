import { type RegistryConfig, SynclineError } from '@syncline/contract';
import { readCredentialFile, unreadableCredential } from '../../credentials/credential-file.ts';

export type GitAuth = NonNullable<NonNullable<RegistryConfig['git']>['auth']>;

/** Keys of 16,384 bits fit. */
const MAX_CREDENTIAL_BYTES = 32 * 1024;
const LIMITS = {
  maxBytes: MAX_CREDENTIAL_BYTES,
  expected: 'a password in one line, or a private key',
};

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
  const password = await readCredentialFile(passwordFile, LIMITS);
  if (/\p{Cc}/u.test(password)) {
    throw unreadableCredential(passwordFile, 'it holds more than one line', LIMITS);
  }
  return { username, password };
}

/** Sees to it that ssh, which says little about a key that it cannot read, will find one. */
export async function checkCredentialFile(path: string): Promise<void> {
  await readCredentialFile(path, LIMITS);
}
