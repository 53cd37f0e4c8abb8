import { z } from 'zod';
import type { ApiDependencies } from '../../dependencies.ts';
import { parseBody } from '../../http/body.ts';
import { type Answer, type ApiRequest, ok } from '../../http/route.ts';
import { findRegistry, viewRegistry } from '../../registries.ts';

const bodySchema = z.strictObject({
  note: z.string().max(500).optional(),
  author: z.string().max(100).optional(),
});

/** `POST /v1/registries/{name}/suspend`: keeps serving what is there, and syncs no more. */
export async function postSuspend(
  dependencies: ApiDependencies,
  { params, body }: ApiRequest<'name'>,
): Promise<Answer> {
  const { note, author } = parseBody(bodySchema, body);
  const registry = await findRegistry(dependencies, params.name);
  await (await dependencies.operations()).suspend(registry.name, {
    ...(note === undefined ? {} : { note }),
    ...(author === undefined ? {} : { author }),
  });
  return ok(await viewRegistry(dependencies, registry));
}
