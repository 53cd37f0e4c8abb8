import {
  getVersion,
  listServers,
  listVersions,
  parseListQuery,
  parseVersionQuery,
} from '@syncline/sync';
import { openCatalog } from '../catalogs.ts';
import type { ApiDependencies } from '../dependencies.ts';
import { type Answer, type ApiRequest, ok } from '../http/route.ts';

/** `GET …/servers` of the MCP Registry API. */
export async function getServers(
  dependencies: ApiDependencies,
  { params, query }: ApiRequest<'catalog'>,
): Promise<Answer> {
  const request = parseListQuery(query);
  const { snapshot, freshnessOf } = await openCatalog(dependencies, params.catalog);
  return ok(await listServers(snapshot, request, freshnessOf));
}

/** `GET …/servers/{serverName}/versions` of the MCP Registry API. */
export async function getServerVersions(
  dependencies: ApiDependencies,
  { params, query }: ApiRequest<'catalog' | 'serverName'>,
): Promise<Answer> {
  const { includeDeleted } = parseVersionQuery(query);
  const { snapshot, freshnessOf } = await openCatalog(dependencies, params.catalog);
  return ok(await listVersions(snapshot, { name: params.serverName, includeDeleted }, freshnessOf));
}

/** `GET …/servers/{serverName}/versions/{version}` of the MCP Registry API. */
export async function getServerVersion(
  dependencies: ApiDependencies,
  { params, query }: ApiRequest<'catalog' | 'serverName' | 'version'>,
): Promise<Answer> {
  const { includeDeleted } = parseVersionQuery(query);
  const { snapshot, freshnessOf } = await openCatalog(dependencies, params.catalog);
  const { serverName, version } = params;
  return ok(await getVersion(snapshot, { name: serverName, version, includeDeleted }, freshnessOf));
}
