import type { Config } from './config.ts';
import { configuredSource } from './sources/index.ts';

/**
 * Returns whether web pages of any origin may read the rows of a catalog, or of a registry as a catalog of its own name;
 * `undefined` without such a name. By default, they may not read rows that Syncline reads with credentials, because such
 * rows may be private.
 */
export function corsSetting({ registries, catalogs }: Config, name: string): boolean | undefined {
  const ofRegistry = (wanted: string): boolean | undefined => {
    const registry = registries.find((one) => one.name === wanted);
    if (registry === undefined) return undefined;
    return registry.cors ?? configuredSource(registry)?.usesCredentials !== true;
  };
  // A catalog may have the name of a registry, and then hides the registry.
  const catalog = catalogs.find((one) => one.name === name);
  if (catalog === undefined) return ofRegistry(name);
  return catalog.cors ?? catalog.registries.every((member) => ofRegistry(member) === true);
}
