import { SynclineError } from '@syncline/contract';
import { z } from 'zod';
import type { ApiDependencies } from '../dependencies.ts';
import { parseBody } from '../http/body.ts';
import { type Answer, type ApiRequest, ok } from '../http/route.ts';
import { currentConfig } from '../registries.ts';

const bodySchema = z.strictObject({ force: z.boolean().default(false) });

/** How many registries are asked for at once. */
const BATCH_SIZE = 100;

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
  const requests: object[] = [];
  const suspended: string[] = [];
  for (let start = 0; start < registries.length; start += BATCH_SIZE) {
    const batch = registries.slice(start, start + BATCH_SIZE).map(async ({ name: registry }) => {
      const requested = await requestUnlessSuspended(dependencies, { registry, force });
      if (requested === undefined) suspended.push(registry);
      else requests.push({ registry, ...requested });
    });
    await Promise.all(batch);
  }
  return ok({ requests, suspended }, { status: 202 });
}

async function requestUnlessSuspended(
  { requester }: ApiDependencies,
  { registry, force }: { registry: string; force: boolean },
) {
  try {
    return await requester.requestSync(registry, { force });
  } catch (error) {
    if (error instanceof SynclineError && error.code === 'registry-suspended') return undefined;
    throw error;
  }
}
