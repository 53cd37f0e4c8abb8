import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { type RegistryConfig, SynclineError } from '@syncline/contract';

/** How the config has an upstream let us in. */
export type Access = Pick<NonNullable<RegistryConfig['api']>, 'auth' | 'headers'>;

/** Longer ones do not fit into what servers take for headers. */
const MAX_CREDENTIAL_BYTES = 8 * 1024;

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

/** One line of printable ASCII, without the space around it. */
async function readCredential(path: string): Promise<string> {
  const text = (await readSmallFile(path)).trim();
  if (text === '') throw unreadable(path, 'it is empty');
  if (!/^[\x20-\x7e]+$/.test(text)) throw unreadable(path, 'it holds more than that');
  return text;
}

async function readSmallFile(path: string): Promise<string> {
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
    { expected: `one line of printable ASCII, of at most ${MAX_CREDENTIAL_BYTES} bytes` },
  );
}
