import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { type RegistryConfig, SynclineError } from '@syncline/contract';

/** What a file must hold to be of use. */
export interface CredentialLimits {
  readonly maxBytes: number;
  /** In words, for errors. */
  readonly expected: string;
}

/**
 * The text of a file that holds a credential, without the space around it.
 *
 * @throws SynclineError `source-credential-unreadable`, which names the file and never what is in it
 */
export async function readCredentialFile(path: string, limits: CredentialLimits): Promise<string> {
  const text = (await readSmallFile(path, limits)).trim();
  if (text === '') throw unreadableCredential(path, 'it is empty', limits);
  return text;
}

async function readSmallFile(path: string, limits: CredentialLimits): Promise<string> {
  const { maxBytes } = limits;
  try {
    // Without waiting for somebody to write, where it is a pipe.
    await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    if (!(await file.stat()).isFile()) throw unreadableCredential(path, 'it is no file', limits);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(maxBytes + 1));
    if (bytesRead > maxBytes) throw unreadableCredential(path, 'it is too large', limits);
    return buffer.toString('utf8', 0, bytesRead);
  } catch (error) {
    if (error instanceof SynclineError) throw error;
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    throw unreadableCredential(path, code === 'ENOENT' ? 'there is no such file' : code, limits);
  }
}

export function unreadableCredential(
  path: string,
  why: string,
  { expected }: CredentialLimits,
): SynclineError {
  return new SynclineError(
    'source-credential-unreadable',
    `cannot take the credential from ${path}: ${why}`,
    { expected },
  );
}

/** How the config has an upstream let us in. */
export type Access = Pick<NonNullable<RegistryConfig['api']>, 'auth' | 'headers'>;

/** Longer ones do not fit into what servers take for headers. */
const MAX_CREDENTIAL_BYTES = 8 * 1024;
const LIMITS = {
  maxBytes: MAX_CREDENTIAL_BYTES,
  expected: `one line of printable ASCII, of at most ${MAX_CREDENTIAL_BYTES} bytes`,
};

/**
 * The headers that the config asks for, names in lower case. What lies in files is read now, so that a
 * new credential counts from the next request on.
 *
 * @param credentials each that is read is added to it
 * @throws SynclineError `source-credential-unreadable`, which names the file and never what is in it
 */
export async function readAccessHeaders(
  { auth, headers = {} }: Access,
  credentials = new Set<string>(),
): Promise<Record<string, string>> {
  const take = async (path: string) => {
    const credential = await readCredential(path);
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

/** One line of printable ASCII. */
async function readCredential(path: string): Promise<string> {
  const text = await readCredentialFile(path, LIMITS);
  if (/^[\x20-\x7e]+$/.test(text)) return text;
  throw unreadableCredential(path, 'it holds more than that', LIMITS);
}
