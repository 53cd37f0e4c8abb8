import { SynclineError } from '@syncline/contract';
import type { ApiDependencies } from '../dependencies.ts';
import { type Answer, type ApiRequest, ok } from '../http/route.ts';
import { findRegistry, viewRegistry } from '../registries.ts';

/** `GET /v1/registries/{name}/requests/{request}`: whether a run has answered it, and which. */
export async function getRequest(
  dependencies: ApiDependencies,
  { params }: ApiRequest<'name' | 'request'>,
): Promise<Answer> {
  const registry = await findRegistry(dependencies, params.name);
  const { control } = await viewRegistry(dependencies, registry);
  const request = /^[1-9]\d{0,14}$/.test(params.request) ? Number(params.request) : Number.NaN;
  if (!(request <= control.requested)) {
    throw new SynclineError(
      'unknown-request',
      `${registry.name} has had no request ${params.request}`,
    );
  }
  if (request > control.handled) {
    return ok({ registry: registry.name, request, state: 'open', run: null });
  }
  const run = await dependencies.findAnswer(registry.name, request);
  return ok({ registry: registry.name, request, state: 'answered', run: run ?? null });
}
