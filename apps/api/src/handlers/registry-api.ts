import {
  getVersion,
  listServers,
  listVersions,
  parseListQuery,
  parseVersionQuery,
} from '@syncline/serving';
import { type OpenCatalog, openCatalog } from '../catalogs.ts';
import type { ApiDependencies } from '../dependencies.ts';
import { type Answer, type ApiRequest, ok } from '../http/route.ts';

/** `GET …/servers` of the MCP Registry API. */
export async function getServers(
  dependencies: ApiDependencies,
  { params, query }: ApiRequest<'catalog'>,
): Promise<Answer> {
  const request = parseListQuery(query);
  const catalog = await openCatalog(dependencies, params.catalog);
  const { snapshot, freshnessOf } = catalog;
  return served(await listServers(snapshot, request, freshnessOf), catalog);
}

/** `GET …/servers/{serverName}/versions` of the MCP Registry API. */
export async function getServerVersions(
  dependencies: ApiDependencies,
  { params, query }: ApiRequest<'catalog' | 'serverName'>,
): Promise<Answer> {
  const { includeDeleted } = parseVersionQuery(query);
  const catalog = await openCatalog(dependencies, params.catalog);
  const { snapshot, freshnessOf } = catalog;
  const request = { name: params.serverName, includeDeleted };
  return served(await listVersions(snapshot, request, freshnessOf), catalog);
}

/** `GET …/servers/{serverName}/versions/{version}` of the MCP Registry API. */
export async function getServerVersion(
  dependencies: ApiDependencies,
  { params, query }: ApiRequest<'catalog' | 'serverName' | 'version'>,
): Promise<Answer> {
  const { includeDeleted } = parseVersionQuery(query);
  const catalog = await openCatalog(dependencies, params.catalog);
  const { serverName, version } = params;
  const { snapshot, freshnessOf } = catalog;
  const request = { name: serverName, version, includeDeleted };
  return served(await getVersion(snapshot, request, freshnessOf), catalog);
}

/** Says how old it is, where it may no longer be what is served. */
function served(body: unknown, { asOf }: Pick<OpenCatalog, 'asOf'>): Answer {
  if (asOf === undefined) return ok(body);
  const headers = {
    age: String(Math.floor(asOf.ageMs / 1_000)),
    'x-syncline-as-of': new Date(asOf.atMs).toISOString(),
  };
  return { ...ok(body), headers };
}
