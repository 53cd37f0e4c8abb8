import { SynclineError } from '@syncline/contract';
import type { Clone } from './clone.ts';
import { missingObject } from './clone-tree.ts';
import type { RepositoryLimits } from './limits.ts';
import type { RegistryFile } from './select-files.ts';

/**
 * Sees to it that a clone has some files, and that they are not too large: what it does not have is
 * fetched, in one call.
 *
 * @throws SynclineError `source-too-large`; GitFailure
 */
export async function getFiles(
  files: readonly RegistryFile[],
  { clone, limits }: { clone: Clone; limits: RepositoryLimits },
): Promise<void> {
  const ids = [...new Set(files.map(({ id }) => id))];
  let sizes = await clone.fileSizes(ids);
  const missing = ids.filter((id) => !sizes.has(id));
  if (missing.length > 0) {
    await clone.fetchFiles(missing);
    sizes = await clone.fileSizes(ids);
  }
  let total = 0;
  for (const { id, origin } of files) {
    const size = sizes.get(id);
    if (size === undefined) throw missingObject(id);
    if (size > limits.maxFileBytes) {
      throw tooLarge(`${origin.name} has ${size} bytes`, limits.maxFileBytes);
    }
    total += size;
  }
  if (total > limits.maxTotalBytes) {
    throw tooLarge(`the files have ${total} bytes together`, limits.maxTotalBytes);
  }
}

function tooLarge(what: string, most: number): SynclineError {
  return new SynclineError('source-too-large', what, { expected: `at most ${most}` });
}
