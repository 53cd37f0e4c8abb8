import { requestAll } from '@syncline/client';
import { z } from 'zod';
import type { ApiDependencies } from '../../dependencies.ts';
import { parseBody } from '../../http/body.ts';
import { type Answer, type ApiRequest, ok } from '../../http/route.ts';
import { currentConfig } from '../../registries.ts';

const bodySchema = z.strictObject({ force: z.boolean().default(false) });

/**
 * `POST /v1/sync`: asks for a run of each registry that an operator or the config has not stopped. 202
 * with the requests' numbers.
 */
export async function postSyncAll(
  dependencies: ApiDependencies,
  { body }: ApiRequest,
): Promise<Answer> {
  const { force } = parseBody(bodySchema, body);
  const { registries } = await currentConfig(dependencies);
  const names = registries.map(({ name }) => name);
  return ok(await requestAll(dependencies.requester, names, { force }), { status: 202 });
}
