import { pageLimitSchema, parseQuery } from '@syncline/serving';
import { z } from 'zod';
import type { ApiDependencies } from '../dependencies.ts';
import { type Answer, type ApiRequest, ok } from '../http/route.ts';
import { findRegistry } from '../registries.ts';

const querySchema = z.object({
  limit: pageLimitSchema,
  cursor: z
    .string()
    .regex(/^\d{1,20}$/, { error: 'expected the nextCursor of an earlier page, unchanged' })
    .optional(),
});

/** `GET /v1/registries/{name}/runs`: newest first. */
export async function getRuns(
  dependencies: ApiDependencies,
  { params, query }: ApiRequest<'name'>,
): Promise<Answer> {
  const { limit, cursor } = parseQuery(querySchema, query);
  const registry = await findRegistry(dependencies, params.name);
  const { runs, next } = await dependencies.runs.list(registry.name, {
    limit,
    ...(cursor === undefined ? {} : { before: cursor }),
  });
  return ok({ runs, ...(next === undefined ? {} : { nextCursor: next }) });
}
