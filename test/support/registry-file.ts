import path from 'node:path';
import { replaceFile } from './config.ts';
import { type Lifetime, testLifetime } from './lifetime.ts';
import { temporaryDirectory } from './temporary.ts';
import type { UpstreamRow } from './upstream/corpus.ts';

/** A file that is the source of a registry. */
export interface RegistryFile {
  readonly path: string;
  /** Replaces the rows of the file in one step. */
  replace(rows: readonly UpstreamRow[]): Promise<void>;
}

/**
 * Writes rows to a file in the format of the MCP Registry API. The file is removed at the end of the test.
 */
export async function writeRegistryFile(
  rows: readonly UpstreamRow[],
  lifetime: Lifetime = testLifetime,
): Promise<RegistryFile> {
  const file = path.join(await temporaryDirectory(lifetime), 'registry.json');
  const replace = (replacing: readonly UpstreamRow[]) =>
    replaceFile(
      file,
      JSON.stringify({ servers: replacing, metadata: { count: replacing.length } }),
    );
  await replace(rows);
  return { path: file, replace };
}
