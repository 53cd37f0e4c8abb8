import { z } from 'zod';
import type { ApiDependencies } from '../../dependencies.ts';
import { parseBody } from '../../http/body.ts';
import { type Answer, type ApiRequest, ok } from '../../http/route.ts';
import { findRegistry, viewRegistry } from '../../registries.ts';

const bodySchema = z.strictObject({});

/**
 * `POST /v1/registries/{name}/resume`: takes back a suspension and a pin. Where the config suspends the
 * registry too, that stays, and the answer is 409.
 */
export async function postResume(
  dependencies: ApiDependencies,
  { params, body }: ApiRequest<'name'>,
): Promise<Answer> {
  parseBody(bodySchema, body);
  const registry = await findRegistry(dependencies, params.name);
  await (await dependencies.operations()).resume(registry);
  return ok(await viewRegistry(dependencies, registry));
}
