import type { ApiDependencies } from '../dependencies.ts';
import { type Answer, type ApiRequest, ok } from '../http/route.ts';
import { findRegistry, viewRegistry } from '../registries.ts';

/** `GET /v1/registries/{name}` */
export async function getRegistry(
  dependencies: ApiDependencies,
  { params }: ApiRequest<'name'>,
): Promise<Answer> {
  const registry = await findRegistry(dependencies, params.name);
  return ok(await viewRegistry(dependencies, registry));
}
