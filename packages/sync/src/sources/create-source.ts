import { type RegistryConfig, SynclineError } from '@syncline/contract';
import { ApiSource } from './api-source.ts';
import { FileSource } from './file-source.ts';
import type { HttpClient } from './http.ts';
import type { Source } from './source.ts';
import { UrlSource } from './url-source.ts';

export type CreateSource = (registry: RegistryConfig) => Source;

/** Makes the source that a registry's config asks for. */
export function createSourceFactory({ http }: { http: HttpClient }): CreateSource {
  return (registry) => {
    const { file, api } = registry;
    if (file?.path !== undefined) return new FileSource({ path: file.path });
    if (file?.url !== undefined) {
      return new UrlSource({ url: file.url, timeoutMs: file.timeout, access: file, http });
    }
    if (api !== undefined) {
      const { endpoint, timeout } = api;
      return new ApiSource({ endpoint, timeoutMs: timeout, access: api, http });
    }
    throw new SynclineError(
      'config-invalid',
      `registry ${registry.name} has no source that this build can read`,
    );
  };
}
