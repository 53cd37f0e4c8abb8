import { servedCatalogs, viewCatalogs } from '../catalogs.ts';
import type { ApiDependencies } from '../dependencies.ts';
import { type Answer, ok } from '../http/route.ts';
import { currentConfig } from '../registries.ts';

/** `GET /v1/catalogs`: those of the config, then each registry as a catalog of its own name. */
export async function getCatalogs(dependencies: ApiDependencies): Promise<Answer> {
  const config = await currentConfig(dependencies);
  return ok({ catalogs: await viewCatalogs(dependencies, servedCatalogs(config)) });
}
