import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { SynclineError } from '@syncline/contract';

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
