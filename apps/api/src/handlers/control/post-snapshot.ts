import { z } from 'zod';
import type { ApiDependencies } from '../../dependencies.ts';
import { parseBody } from '../../http/body.ts';
import { type Answer, type ApiRequest, ok } from '../../http/route.ts';
import { findRegistry } from '../../registries.ts';

const bodySchema = z.strictObject({ snapshot: z.string().min(1).max(128) });

/** `POST /v1/registries/{name}/rollback`: serves an earlier snapshot, until resumed. */
export async function postRollback(
  dependencies: ApiDependencies,
  { params, body }: ApiRequest<'name'>,
): Promise<Answer> {
  const { snapshot } = parseBody(bodySchema, body);
  const registry = await findRegistry(dependencies, params.name);
  return ok(await (await dependencies.operations()).rollback(registry.name, { snapshot }));
}

/** `POST /v1/registries/{name}/approve`: publishes the snapshot that a guard holds back. */
export async function postApprove(
  dependencies: ApiDependencies,
  { params, body }: ApiRequest<'name'>,
): Promise<Answer> {
  const { snapshot } = parseBody(bodySchema, body);
  const registry = await findRegistry(dependencies, params.name);
  return ok(await (await dependencies.operations()).approve(registry.name, { snapshot }));
}
