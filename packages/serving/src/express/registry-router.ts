import { STATUS_CODES } from 'node:http';
import { type ErrorCode, SynclineError } from '@syncline/contract';
import type { OpenSnapshot } from '@syncline/snapshot';
import { type ErrorRequestHandler, type Request, Router } from 'express';
import { listServers } from '../list-servers.ts';
import type { FreshnessOf } from '../present.ts';
import { parseListQuery, parseVersionQuery } from '../query.ts';
import { getVersion, listVersions } from '../show-server.ts';

/** Opens what a catalog serves now. */
export interface CatalogOpener {
  openCatalog(
    name: string,
  ): Promise<{ readonly snapshot: OpenSnapshot; readonly freshnessOf: FreshnessOf }>;
}

type Param = 'catalog' | 'serverName' | 'version';

/** Errors that are the client's doing, or pass by themselves. All others go to the app's error handler. */
const STATUSES: Partial<Record<ErrorCode, number>> = {
  'bad-request': 400,
  'unknown-catalog': 404,
  'server-not-found': 404,
  'catalog-not-ready': 503,
};

/**
 * The read endpoints of the MCP Registry API, v0.1 and v0, for an Express app: `/{catalog}/v0.1/servers` and below.
 * Add middleware for access, CORS and limits in front of it.
 */
export function createRegistryRouter(catalogs: CatalogOpener): Router {
  const router = Router({ caseSensitive: true });
  for (const version of ['v0.1', 'v0']) {
    const servers = `/:catalog/${version}/servers`;
    router.get(servers, async (request, response) => {
      const query = parseListQuery(queryOf(request));
      const { snapshot, freshnessOf } = await catalogs.openCatalog(param(request, 'catalog'));
      response.json(await listServers(snapshot, query, freshnessOf));
    });
    router.get(`${servers}/:serverName/versions`, async (request, response) => {
      const { includeDeleted } = parseVersionQuery(queryOf(request));
      const { snapshot, freshnessOf } = await catalogs.openCatalog(param(request, 'catalog'));
      const server = { name: param(request, 'serverName'), includeDeleted };
      response.json(await listVersions(snapshot, server, freshnessOf));
    });
    router.get(`${servers}/:serverName/versions/:version`, async (request, response) => {
      const { includeDeleted } = parseVersionQuery(queryOf(request));
      const { snapshot, freshnessOf } = await catalogs.openCatalog(param(request, 'catalog'));
      const server = { name: param(request, 'serverName'), includeDeleted };
      const row = { ...server, version: param(request, 'version') };
      response.json(await getVersion(snapshot, row, freshnessOf));
    });
  }
  return router.use(answerError);
}

function param({ params }: Request, name: Param): string {
  return String(params[name]);
}

/** As it was sent: an app may parse queries in its own way. */
function queryOf({ originalUrl }: Request): URLSearchParams {
  return new URLSearchParams(originalUrl.split('?').slice(1).join('?'));
}

const answerError: ErrorRequestHandler = (error: unknown, _request, response, next) => {
  const status = error instanceof SynclineError ? STATUSES[error.code] : undefined;
  if (!(error instanceof SynclineError) || status === undefined || response.headersSent) {
    return next(error);
  }
  const { message: detail, code, retryAfterMs } = error;
  if (retryAfterMs !== undefined) {
    response.set('retry-after', String(Math.ceil(retryAfterMs / 1_000)));
  }
  const title = STATUS_CODES[status] ?? 'Error';
  response.status(status).json({ error: detail, title, status, detail, code });
};
