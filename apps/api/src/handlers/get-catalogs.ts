import type { ApiDependencies } from '../dependencies.ts';
import { type Answer, ok } from '../http/route.ts';
import { currentConfig } from '../registries.ts';

/** `GET /v1/catalogs`: those of the config, then each registry as a catalog of its own name. */
export async function getCatalogs(dependencies: ApiDependencies): Promise<Answer> {
  const { catalogs, registries } = await currentConfig(dependencies);
  const taken = new Set(catalogs.map(({ name }) => name));
  const implied = registries
    .filter(({ name }) => !taken.has(name))
    .map(({ name }) => ({ name, registries: [name] }));
  return ok({
    catalogs: [...catalogs, ...implied].map((catalog) => ({
      name: catalog.name,
      registries: catalog.registries,
      path: `/registry/${catalog.name}`,
    })),
  });
}
