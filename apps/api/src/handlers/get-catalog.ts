import { viewCatalogs } from '../catalogs.ts';
import type { ApiDependencies } from '../dependencies.ts';
import { type Answer, type ApiRequest, ok } from '../http/route.ts';
import { findCatalog } from '../registries.ts';

/** `GET /v1/catalogs/{name}` */
export async function getCatalog(
  dependencies: ApiDependencies,
  { params }: ApiRequest<'name'>,
): Promise<Answer> {
  const target = await findCatalog(dependencies, params.name);
  const [view] = await viewCatalogs(dependencies, [{ name: params.name, target }]);
  return ok(view);
}
