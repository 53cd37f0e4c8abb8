import { SynclineError } from '@syncline/contract';
import type { ApiDependencies } from '../dependencies.ts';
import { type Answer, type ApiRequest, ok } from '../http/route.ts';
import { findRegistry } from '../registries.ts';

/** `GET /v1/registries/{name}/requests/{request}`: whether a run has answered it, and which. */
export async function getRequest(
  dependencies: ApiDependencies,
  { params }: ApiRequest<'name' | 'request'>,
): Promise<Answer> {
  const registry = await findRegistry(dependencies, params.name);
  if (!/^[1-9]\d{0,14}$/.test(params.request)) {
    const message = `${registry.name} has had no request ${params.request}`;
    throw new SynclineError('unknown-request', message);
  }
  const request = Number(params.request);
  const { state, run } = await dependencies.requester.getRequest(registry.name, request);
  return ok({ registry: registry.name, request, state, run: run ?? null });
}
