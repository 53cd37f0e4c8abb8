import type { Run } from '@syncline/contract';
import { z } from 'zod';
import type { ApiDependencies } from '../../dependencies.ts';
import { parseBody } from '../../http/body.ts';
import { type Answer, type ApiRequest, ok } from '../../http/route.ts';
import { findRegistry } from '../../registries.ts';

const MAX_WAIT_SECONDS = 600;

const bodySchema = z.strictObject({
  force: z.boolean().default(false),
  wait: z
    .number()
    .positive()
    .max(MAX_WAIT_SECONDS, { error: `expected at most ${MAX_WAIT_SECONDS} seconds` })
    .optional(),
});

/**
 * `POST /v1/registries/{name}/sync`: asks for a run. 202 with the request's number; with `wait`, in
 * seconds, 200 with the run that answered it, if it ends in time.
 */
export async function postSync(
  dependencies: ApiDependencies,
  { params, body, signal }: ApiRequest<'name'>,
): Promise<Answer> {
  const { force, wait } = parseBody(bodySchema, body);
  const registry = await findRegistry(dependencies, params.name);
  const requested = await dependencies.requester.requestSync(registry.name, { force });
  if (wait !== undefined) {
    const run = await waitForRun(dependencies, {
      registry: registry.name,
      request: requested.request,
      timeoutMs: wait * 1_000,
      signal,
    });
    if (run !== undefined) return ok(run);
  }
  const location = `/v1/registries/${registry.name}/requests/${requested.request}`;
  return { status: 202, body: requested, headers: { location } };
}

async function waitForRun(
  { requester }: ApiDependencies,
  wait: { registry: string; request: number; timeoutMs: number; signal: AbortSignal },
): Promise<Run | undefined> {
  const { registry, request, timeoutMs, signal } = wait;
  try {
    return await requester.waitForRun(registry, request, { timeoutMs, signal });
  } catch (error) {
    // We stop, or the client is gone. The request is counted all the same.
    if (signal.aborted) return undefined;
    throw error;
  }
}
