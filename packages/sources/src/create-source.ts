import { type RegistryConfig, SynclineError } from '@syncline/contract';
import { withholdingCredentials } from './credentials/withhold.ts';
import { FileCalls } from './files/file-calls.ts';
import type { Git } from './git/git.ts';
import type { HttpClient } from './http/http.ts';
import { ApiSource } from './kinds/api-source.ts';
import { FileSource } from './kinds/file-source.ts';
import { GitSource } from './kinds/git-source.ts';
import { UrlSource } from './kinds/url-source.ts';
import type { Source } from './source.ts';

export type CreateSource = (registry: RegistryConfig) => Source;

export interface SourceDependencies {
  readonly http: HttpClient;
  /** Where it is missing, registries in Git repositories cannot be read. */
  readonly git?: Git;
  /** How many threads of libuv's pool may read files at once. Default: 3, fewer than the four of Node. */
  readonly fileThreads?: number;
}

/** Makes the source that a registry's config asks for. */
export function createSourceFactory({ fileThreads, ...deps }: SourceDependencies): CreateSource {
  const calls = new FileCalls(fileThreads === undefined ? {} : { maxThreads: fileThreads });
  return (registry) => withholdingCredentials(createSource(registry, { ...deps, calls }));
}

function createSource(
  registry: RegistryConfig,
  { http, git, calls }: SourceDependencies & { readonly calls: FileCalls },
): Source {
  const { file, api } = registry;
  if (file?.path !== undefined) return new FileSource({ path: file.path, calls });
  if (file?.url !== undefined) {
    return new UrlSource({ url: file.url, timeoutMs: file.timeout, access: file, http });
  }
  if (api !== undefined) {
    const { endpoint, timeout } = api;
    return new ApiSource({ endpoint, timeoutMs: timeout, access: api, http });
  }
  if (registry.git !== undefined && git !== undefined) {
    return new GitSource({ registry: registry.name, config: registry.git, git });
  }
  throw new SynclineError(
    'config-invalid',
    `registry ${registry.name} has no source that this build can read`,
  );
}
