import { currentConfig } from '@syncline/redis';
import { type ConflictMember, listConflicts, pageLimitSchema, parseQuery } from '@syncline/serving';
import { z } from 'zod';
import { membersOf, type ServedCatalog, servedCatalogs, viewCatalogs } from '../catalogs.ts';
import type { ApiDependencies } from '../dependencies.ts';
import { namedPage, namedPageQuery } from '../http/named-pages.ts';
import { type Answer, type ApiRequest, ok, okList } from '../http/route.ts';
import { findCatalog } from '../registries.ts';

/** `GET /v1/catalogs`: returns the catalogs of the config, and then each registry as a catalog of the same name. */
export async function getCatalogs(
  dependencies: ApiDependencies,
  { query, signal }: ApiRequest,
): Promise<Answer> {
  const { limit, cursor } = parseQuery(namedPageQuery, query);
  const config = await currentConfig(dependencies.config);
  const viewsOf = (catalogs: readonly ServedCatalog[]) => viewCatalogs(dependencies, catalogs);
  const options = { limit, cursor, signal, viewsOf };
  return okList('catalogs', await namedPage(servedCatalogs(config), options));
}

/** `GET /v1/catalogs/{name}`: returns one catalog. */
export async function getCatalog(
  dependencies: ApiDependencies,
  { params }: ApiRequest<'name'>,
): Promise<Answer> {
  const target = await findCatalog(dependencies, params.name);
  const [view] = await viewCatalogs(dependencies, [{ name: params.name, target }]);
  return ok(view);
}

const conflictsQuery = z.object({
  limit: pageLimitSchema,
  cursor: z.string().max(8_000).optional(),
});

/**
 * `GET /v1/catalogs/{name}/conflicts`: returns the versions that registries of the catalog describe differently now.
 * Cursors are names and versions, so pages continue correctly after a sync.
 */
export async function getConflicts(
  dependencies: ApiDependencies,
  { params, query, signal }: ApiRequest<'name'>,
): Promise<Answer> {
  const { limit, cursor } = parseQuery(conflictsQuery, query);
  const { filter, ...target } = await findCatalog(dependencies, params.name);
  const open = async (registry: string): Promise<ConflictMember[]> => {
    const snapshot = await dependencies.snapshots.open(registry);
    return snapshot === undefined ? [] : [{ registry, snapshot }];
  };
  const members = await Promise.all(membersOf(target).map(open));
  return ok(await listConflicts(members.flat(), { filter, limit, cursor, signal }));
}
