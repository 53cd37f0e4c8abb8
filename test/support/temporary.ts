import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type Lifetime, testLifetime } from './lifetime.ts';

/**
 * Creates an empty directory. At the end of the test, the directory and its contents are removed.
 */
export async function temporaryDirectory(lifetime: Lifetime = testLifetime): Promise<string> {
  const directory = await mkdtemp(path.join(tmpdir(), 'syncline-test-'));
  lifetime.defer(() => rm(directory, { recursive: true, force: true }));
  return directory;
}
