import { SynclineError } from '@syncline/contract';
import {
  getVersion,
  listServers,
  listVersions,
  parseListQuery,
  parseVersionQuery,
} from '@syncline/sync';
import type { ApiDependencies } from '../dependencies.ts';
import { type Answer, type ApiRequest, ok } from '../http/route.ts';
import { findCatalog, viewRegistry } from '../registries.ts';

/** A first sync takes seconds, unless it fails; then its status says why. */
const NOT_READY_RETRY_MS = 5_000;

/** `GET …/servers` of the MCP Registry API. */
export async function getServers(
  dependencies: ApiDependencies,
  { params, query }: ApiRequest<'catalog'>,
): Promise<Answer> {
  const request = parseListQuery(query);
  const { snapshot, freshness } = await openCatalog(dependencies, params.catalog);
  return ok(await listServers(snapshot, request, freshness));
}

/** `GET …/servers/{serverName}/versions` of the MCP Registry API. */
export async function getServerVersions(
  dependencies: ApiDependencies,
  { params, query }: ApiRequest<'catalog' | 'serverName'>,
): Promise<Answer> {
  const { includeDeleted } = parseVersionQuery(query);
  const { snapshot, freshness } = await openCatalog(dependencies, params.catalog);
  return ok(await listVersions(snapshot, { name: params.serverName, includeDeleted }, freshness));
}

/** `GET …/servers/{serverName}/versions/{version}` of the MCP Registry API. */
export async function getServerVersion(
  dependencies: ApiDependencies,
  { params, query }: ApiRequest<'catalog' | 'serverName' | 'version'>,
): Promise<Answer> {
  const { includeDeleted } = parseVersionQuery(query);
  const { snapshot, freshness } = await openCatalog(dependencies, params.catalog);
  const { serverName, version } = params;
  return ok(await getVersion(snapshot, { name: serverName, version, includeDeleted }, freshness));
}

/** Not an empty list: whoever mirrors us would take it for a registry that has lost everything. */
function notReady(catalog: string, registry: string): SynclineError {
  const message = `the catalog ${catalog} has nothing to serve yet: ${registry} was never synced`;
  return new SynclineError('catalog-not-ready', message, { retryAfterMs: NOT_READY_RETRY_MS });
}

async function openCatalog(dependencies: ApiDependencies, catalog: string) {
  const registry = await findCatalog(dependencies, catalog);
  const [snapshot, { status, stale }] = await Promise.all([
    dependencies.snapshots.open(registry.name),
    viewRegistry(dependencies, registry),
  ]);
  if (snapshot === undefined) throw notReady(catalog, registry.name);
  return { snapshot, freshness: { syncedAt: status.lastSuccessAt, stale } };
}
