import { readFile, stat } from 'node:fs/promises';

/** Shorter tokens could be guessed. */
const LEAST_LENGTH = 16;
/** An HTTP header with a longer token would be rejected. */
const MOST_LENGTH = 4_096;
const MOST_BYTES = 2 * MOST_LENGTH;

const MAKE_ONE = 'To make one, run: openssl rand -hex 32';

/** A token file that contains no token. The message says what to do, and never contains the text of the file. */
export class TokenFileError extends Error {
  override readonly name = 'TokenFileError';
}

/**
 * Returns a mark that changes whenever the file is written or replaced.
 *
 * @throws TokenFileError if there is no such file
 */
export async function markOfTokenFile(path: string): Promise<string> {
  const stats = await stat(path, { bigint: true }).catch((error: unknown) =>
    throwUnreadable(path, error),
  );
  // Reading a pipe or a device might never end.
  if (!stats.isFile()) throw new TokenFileError(`${path} is not a file. Use the path of a file`);
  const { dev, ino, size, mtimeNs, ctimeNs } = stats;
  if (size > MOST_BYTES) throw new TokenFileError(`${path} is too large. ${MAKE_ONE}`);
  return [dev, ino, size, mtimeNs, ctimeNs].join(':');
}

/**
 * Reads the token from a file, without surrounding white space.
 *
 * @throws TokenFileError if the file cannot be read or contains no valid token
 */
export async function readTokenFile(path: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => throwUnreadable(path, error));
  const token = text.trim();
  const refuse = (problem: string) => new TokenFileError(`${path} ${problem}. ${MAKE_ONE}`);
  if (!/^[\x21-\x7e]+$/.test(token)) throw refuse('contains no valid token: use one ASCII word');
  if (token.length < LEAST_LENGTH) {
    throw refuse(`contains a token of ${token.length} characters: use at least ${LEAST_LENGTH}`);
  }
  if (token.length > MOST_LENGTH) {
    throw refuse(`contains a token of ${token.length} characters: use at most ${MOST_LENGTH}`);
  }
  return token;
}

function throwUnreadable(path: string, cause: unknown): never {
  const message = `cannot read ${path}. Check the path and the permissions of the file`;
  throw new TokenFileError(message, { cause });
}
