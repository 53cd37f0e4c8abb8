import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { type RegistryConfig, SynclineError } from '@syncline/contract';
import { type CredentialDirs, findCredentialFile } from './credential-dirs.ts';

/** The limits of a credential file. */
export interface CredentialLimits {
  readonly dirs?: CredentialDirs;
  readonly maxBytes: number;
  /** The advice at the end of error messages: what the file must contain. */
  readonly advice: string;
}

/**
 * Reads the text of a credential file, without surrounding white space.
 *
 * @throws SynclineError `source-credential-unreadable`, which names the file and never shows its content;
 *   `source-credential-refused`
 */
export async function readCredentialFile(path: string, limits: CredentialLimits): Promise<string> {
  const text = (await readSmallFile(path, limits)).trim();
  if (text === '') throw unreadableCredential(path, 'the file is empty', limits);
  return text;
}

async function readSmallFile(path: string, limits: CredentialLimits): Promise<string> {
  const { maxBytes, dirs } = limits;
  const found = await findCredentialFile(path, dirs);
  try {
    // With O_NONBLOCK, opening a named pipe does not wait for a writer. With O_NOFOLLOW, a new link is not followed.
    const flags = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW;
    await using file = await open(found, flags);
    if (!(await file.stat()).isFile()) throw unreadableCredential(path, 'it is not a file', limits);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(maxBytes + 1));
    if (bytesRead > maxBytes) throw unreadableCredential(path, 'the file is too large', limits);
    return buffer.toString('utf8', 0, bytesRead);
  } catch (error) {
    if (error instanceof SynclineError) throw error;
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    throw unreadableCredential(path, code === 'ENOENT' ? 'the file does not exist' : code, limits);
  }
}

export function unreadableCredential(
  path: string,
  why: string,
  { advice }: CredentialLimits,
): SynclineError {
  return new SynclineError(
    'source-credential-unreadable',
    `cannot read the credential in ${path}: ${why}. ${advice}`,
  );
}

/** The headers and the token that the config sets for an upstream. */
export type Access = Pick<NonNullable<RegistryConfig['api']>, 'auth' | 'headers'>;

/** Servers reject longer headers. */
const MAX_CREDENTIAL_BYTES = 8 * 1024;
const LIMITS = {
  maxBytes: MAX_CREDENTIAL_BYTES,
  advice: `Put one line of at most ${MAX_CREDENTIAL_BYTES} printable ASCII characters into the file`,
};

/**
 * Returns the configured headers, with names in lower case. Each call reads the credential files again,
 * so a new credential takes effect at once.
 *
 * @param credentials receives each credential that this function reads
 * @throws SynclineError `source-credential-unreadable`, which names the file and never shows its content;
 *   `source-credential-refused`
 */
export async function readAccessHeaders(
  { auth, headers = {} }: Access,
  credentials = new Set<string>(),
  dirs: CredentialDirs = undefined,
): Promise<Record<string, string>> {
  const take = async (path: string) => {
    const credential = await readCredentialFile(path, { ...LIMITS, dirs });
    if (!/^[\x20-\x7e]+$/.test(credential)) {
      throw unreadableCredential(
        path,
        'the file has characters that are not printable ASCII',
        LIMITS,
      );
    }
    credentials.add(credential);
    return credential;
  };
  const read: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    read[name.toLowerCase()] = typeof value === 'string' ? value : await take(value.file);
  }
  if (auth !== undefined) read['authorization'] = `Bearer ${await take(auth.tokenFile)}`;
  return read;
}
