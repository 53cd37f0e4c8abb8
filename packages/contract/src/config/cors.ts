import type { Config } from './config.ts';
import { configuredSource } from './sources/index.ts';

/**
 * Returns for each catalog, and for each registry as a catalog of its own name, whether web pages of any origin may read
 * its rows. By default, they may not read rows that Syncline reads with credentials, because such rows may be private.
 */
export function corsSettings({ registries, catalogs }: Config): ReadonlyMap<string, boolean> {
  const settings = new Map(
    registries.map(({ name, cors, ...sources }) => [
      name,
      cors ?? configuredSource(sources)?.usesCredentials !== true,
    ]),
  );
  const ofCatalogs = catalogs.map(
    ({ name, cors, registries: members }) =>
      [name, cors ?? members.every((member) => settings.get(member))] as const,
  );
  // A catalog may have the name of a registry, and then hides the registry.
  for (const [name, cors] of ofCatalogs) settings.set(name, cors);
  return settings;
}
