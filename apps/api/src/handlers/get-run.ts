import { SynclineError } from '@syncline/contract';
import type { ApiDependencies } from '../dependencies.ts';
import { type Answer, type ApiRequest, ok } from '../http/route.ts';

/** `GET /v1/runs/{id}`, where the id is `<registry>:<term>`. */
export async function getRun(
  { runs }: ApiDependencies,
  { params }: ApiRequest<'id'>,
): Promise<Answer> {
  const [, registry, term] = /^([a-z0-9-]{1,63}):(\d{1,20})$/.exec(params.id) ?? [];
  const run =
    registry === undefined || term === undefined ? undefined : await runs.get(registry, term);
  if (run === undefined) throw new SynclineError('unknown-run', `there is no run ${params.id}`);
  return ok(run);
}
