import { type RegistryConfig, SynclineError } from '@syncline/contract';
import { ApiSource } from './api-source.ts';
import { FileSource } from './file-source.ts';
import type { HttpClient } from './http.ts';
import type { Source } from './source.ts';

export type CreateSource = (registry: RegistryConfig) => Source;

/** Makes the source that a registry's config asks for. */
export function createSourceFactory({ http }: { http: HttpClient }): CreateSource {
  return (registry) => {
    const { path } = registry.file ?? {};
    if (path !== undefined) return new FileSource({ path });
    if (registry.api !== undefined) {
      const { endpoint, timeout } = registry.api;
      return new ApiSource({ endpoint, timeoutMs: timeout, http });
    }
    throw new SynclineError(
      'config-invalid',
      `registry ${registry.name} has no source that this build can read`,
    );
  };
}
