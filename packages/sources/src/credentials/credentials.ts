import type { RegistryConfig } from '@syncline/contract';
import { readCredentialFile, unreadableCredential } from './credential-file.ts';

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
