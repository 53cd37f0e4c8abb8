import { realpath } from 'node:fs/promises';
import { isAbsolute, relative, resolve, sep } from 'node:path';
import { SynclineError } from '@syncline/contract';

/** The directories below which credential files must lie. `undefined`: they may lie anywhere. */
export type CredentialDirs = readonly string[] | undefined;

/**
 * Returns the path of a credential file without symbolic links. Resolves links first, because a link could lead out of
 * the directories. Returns the path of a missing file unchanged.
 *
 * @throws SynclineError `source-credential-refused` if the file lies outside of `dirs`. The error does not tell whether
 *   the file exists
 */
export async function findCredentialFile(path: string, dirs: CredentialDirs): Promise<string> {
  const found = await realpath(path).catch(() => undefined);
  if (dirs === undefined) return found ?? path;
  const realDirs = await Promise.all(dirs.map((dir) => realpath(dir).catch(() => dir)));
  // A missing file has no real path.
  const isInside =
    found === undefined ? isBelow(path, [...dirs, ...realDirs]) : isBelow(found, realDirs);
  if (isInside) return found ?? path;
  throw new SynclineError(
    'source-credential-refused',
    `the credential file ${path} is not below the directories in SYNCLINE_CREDENTIAL_DIRS. Move the file, or add its directory`,
  );
}

function isBelow(path: string, dirs: readonly string[]): boolean {
  return dirs.some((dir) => {
    const way = relative(dir, resolve(path));
    return way !== '' && way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
  });
}
