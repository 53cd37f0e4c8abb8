import { SynclineError } from '@syncline/contract';
import { currentConfig, findRegistry, viewRegistries } from '@syncline/redis';
import { pageLimitSchema, parseQuery } from '@syncline/serving';
import { z } from 'zod';
import type { ApiDependencies } from '../dependencies.ts';
import { type Answer, type ApiRequest, ok } from '../http/route.ts';
import { viewRegistry } from '../registries.ts';

/** `GET /v1/registries`: returns all registries, in the order of the config. */
export async function getRegistries(dependencies: ApiDependencies): Promise<Answer> {
  const config = await currentConfig(dependencies.config);
  const { views } = await viewRegistries(dependencies.registries, config.registries);
  return ok({ registries: views });
}

/** `GET /v1/registries/{name}`: returns one registry. */
export async function getRegistry(
  dependencies: ApiDependencies,
  { params }: ApiRequest<'name'>,
): Promise<Answer> {
  const registry = await findRegistry(dependencies.config, params.name);
  return ok(await viewRegistry(dependencies, registry));
}

const querySchema = z.object({
  limit: pageLimitSchema,
  cursor: z
    .string()
    .regex(/^\d{1,20}$/, { error: 'use the nextCursor of an earlier page, unchanged' })
    .optional(),
});

/** `GET /v1/registries/{name}/runs`: returns runs, newest first. */
export async function getRuns(
  dependencies: ApiDependencies,
  { params, query }: ApiRequest<'name'>,
): Promise<Answer> {
  const { limit, cursor } = parseQuery(querySchema, query);
  const registry = await findRegistry(dependencies.config, params.name);
  const { runs, next } = await dependencies.runs.list(registry.name, {
    limit,
    ...(cursor === undefined ? {} : { before: cursor }),
  });
  return ok({ runs, ...(next === undefined ? {} : { nextCursor: next }) });
}

/** `GET /v1/runs/{id}`: returns a run. The id is `<registry>:<term>`. */
export async function getRun(
  { runs }: ApiDependencies,
  { params }: ApiRequest<'id'>,
): Promise<Answer> {
  const [, registry, term] = /^([a-z0-9-]{1,63}):(\d{1,20})$/.exec(params.id) ?? [];
  const run =
    registry === undefined || term === undefined ? undefined : await runs.get(registry, term);
  if (run === undefined)
    throw new SynclineError(
      'unknown-run',
      `there is no run ${params.id}. Check the id; old runs are removed`,
    );
  return ok(run);
}

/**
 * `GET /v1/registries/{name}/requests/{request}`: returns whether a run has handled the request, and which
 * run.
 */
export async function getRequest(
  dependencies: ApiDependencies,
  { params }: ApiRequest<'name' | 'request'>,
): Promise<Answer> {
  const registry = await findRegistry(dependencies.config, params.name);
  if (!/^[1-9]\d{0,14}$/.test(params.request)) {
    const message = `${registry.name} has no request ${params.request}. Requests are numbered from 1`;
    throw new SynclineError('unknown-request', message);
  }
  const request = Number(params.request);
  const { state, run } = await dependencies.requester.getRequest(registry.name, request);
  return ok({ registry: registry.name, request, state, run: run ?? null });
}
