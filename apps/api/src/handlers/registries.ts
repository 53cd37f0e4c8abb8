import { phaseSchema, type Run, SynclineError } from '@syncline/contract';
import { currentConfig, findRegistry, viewRegistries } from '@syncline/redis';
import { beginSlices, Page, pageLimitSchema, parseQuery } from '@syncline/serving';
import { z } from 'zod';
import type { ApiDependencies } from '../dependencies.ts';
import { namedPage, namedPageQuery } from '../http/named-pages.ts';
import { type Answer, type ApiRequest, ok, okList } from '../http/route.ts';
import { viewRegistry } from '../registries.ts';

const registriesQuery = namedPageQuery.extend({
  phase: phaseSchema.optional(),
  search: z.string().max(100).optional(),
});

/** `GET /v1/registries`: returns one page of the registries, in the order of the config. */
export async function getRegistries(
  { config, remembered }: ApiDependencies,
  { query, signal }: ApiRequest,
): Promise<Answer> {
  const { limit, cursor, phase, search } = parseQuery(registriesQuery, query);
  const { registries } = await currentConfig(config);
  const found =
    search === undefined
      ? registries
      : registries.filter(({ name }) => name.includes(search.toLowerCase()));
  const { json, nextCursor } = await namedPage(found, {
    limit,
    cursor,
    signal,
    viewsOf: async (configs) => {
      const { views } = await viewRegistries(remembered.current, configs);
      return phase === undefined ? views : views.filter(({ status }) => status.phase === phase);
    },
  });
  return okList('registries', { json, nextCursor });
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

/** How many runs one command reads. A run names up to 150 rows, so it may have hundreds of kilobytes. */
const RUNS_PER_READ = 10;

/** `GET /v1/registries/{name}/runs`: returns runs, newest first. */
export async function getRuns(
  dependencies: ApiDependencies,
  { params, query, signal }: ApiRequest<'name'>,
): Promise<Answer> {
  const { limit, cursor } = parseQuery(querySchema, query);
  const registry = await findRegistry(dependencies.config, params.name);
  const page = new Page<Run>({ limit });
  const slices = await beginSlices(signal);
  for (let before = cursor; ; ) {
    const { runs, next } = await dependencies.runs.list(registry.name, {
      limit: RUNS_PER_READ,
      ...(before === undefined ? {} : { before }),
    });
    for (const run of runs) {
      const last = page.items.at(-1);
      if (page.add(run)) continue;
      return okList('runs', { json: page.json(), nextCursor: last?.term });
    }
    if (next === undefined) return okList('runs', { json: page.json(), nextCursor: undefined });
    before = next;
    await slices.pause();
  }
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
