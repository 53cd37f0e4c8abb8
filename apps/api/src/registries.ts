import {
  catalogTarget,
  type RegistryConfig,
  type RegistryView,
  SynclineError,
} from '@syncline/contract';
import { findInConfig, viewRegistries } from '@syncline/redis';
import type { ApiDependencies } from './dependencies.ts';

/**
 * Returns the registry behind a catalog: a derived registry or a configured one. @throws {SynclineError}
 * `unknown-catalog`
 */
export async function findCatalog(
  { config }: Pick<ApiDependencies, 'config'>,
  catalog: string,
): Promise<RegistryConfig> {
  const target = await findInConfig(config, (current) => {
    const id = catalogTarget(current, catalog);
    return id === undefined ? undefined : config.registry(id);
  });
  if (target !== undefined) return target;
  throw new SynclineError(
    'unknown-catalog',
    `there is no catalog ${catalog}. GET /v1/catalogs lists all catalogs`,
  );
}

/** Returns the view of one registry. */
export async function viewRegistry(
  { registries }: Pick<ApiDependencies, 'registries'>,
  config: RegistryConfig,
): Promise<RegistryView | undefined> {
  return (await viewRegistries(registries, [config])).views[0];
}
