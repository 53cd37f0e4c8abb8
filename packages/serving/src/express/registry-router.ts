import { type ErrorCode, SynclineError } from '@syncline/contract';
import type { FreshnessOf } from '@syncline/rows';
import type { OpenSnapshot } from '@syncline/snapshot';
import { type ErrorRequestHandler, type Request, type Response, Router } from 'express';
import { errorBody, errorHeaders } from '../error-body.ts';
import { type ReadOptions, readServers, toServerListJson } from '../list-servers.ts';
import { parseListQuery, parseVersionQuery } from '../query.ts';
import { getVersion, readVersions, type VersionsRequest } from '../show-server.ts';

/** An open catalog. */
export interface OpenCatalog {
  readonly snapshot: OpenSnapshot;
  /** Returns how current the data of each registry is. */
  readonly freshnessOf: FreshnessOf;
  /** Present if the catalog may be outdated: when it was read, in epoch milliseconds, and how long ago. */
  readonly asOf?: { readonly atMs: number; readonly ageMs: number } | undefined;
}

/** Opens the snapshot that a catalog serves now. */
export interface CatalogOpener {
  openCatalog(name: string): Promise<OpenCatalog>;
}

/** Answers a request from a snapshot. @returns JSON */
type Answer = (snapshot: OpenSnapshot, options: ReadOptions) => Promise<string>;

/** The endpoints. Each one parses a request and returns a function that answers it. */
const ENDPOINTS: Record<string, (request: Request) => Answer> = {
  '/servers': (request) => {
    const query = parseListQuery(queryOf(request));
    return async (snapshot, options) =>
      toServerListJson(await readServers(snapshot, query, options));
  },
  '/servers/{serverName}/versions': (request) => {
    const server = serverOf(request);
    return async (snapshot, options) =>
      toServerListJson(await readVersions(snapshot, server, options));
  },
  '/servers/{serverName}/versions/{version}': (request) => {
    const row = { ...serverOf(request), version: String(request.params['version']) };
    return async (snapshot, options) => JSON.stringify(await getVersion(snapshot, row, options));
  },
};

/** The endpoint for each path, in the notation of OpenAPI. For older clients, `v0` is the same as `v0.1`. */
const ROUTES = ['v0.1', 'v0'].flatMap((version) =>
  Object.entries(ENDPOINTS).map(
    ([path, parse]) => [`/{catalog}/${version}${path}`, parse] as const,
  ),
);

/** The paths of the router, in the notation of OpenAPI. */
export const REGISTRY_PATHS: readonly string[] = ROUTES.map(([path]) => path);

/** Client errors and temporary errors, which the router answers. All other errors go to the app's error handler. */
const ANSWERED: ReadonlySet<ErrorCode> = new Set([
  'bad-request',
  'unknown-catalog',
  'server-not-found',
  'catalog-not-ready',
]);

/**
 * Creates a router for an Express app, with the read endpoints of the MCP Registry API. Add middleware for access,
 * CORS and limits before this router. Sets `response.locals.route` to the endpoint's path, for metrics.
 */
export function createRegistryRouter(catalogs: CatalogOpener): Router {
  const router = Router({ caseSensitive: true });
  for (const [path, parse] of ROUTES) {
    router.get(path.replaceAll(/\{(\w+)\}/g, ':$1'), async (request, response) => {
      response.locals['route'] = `${request.baseUrl}${path}`;
      const answer = parse(request);
      const signal = abortedOnClose(response);
      const catalog = await catalogs.openCatalog(String(request.params['catalog']));
      const { snapshot, freshnessOf, asOf } = catalog;
      const body = await answer(snapshot, { freshnessOf, signal }).catch((error: unknown) => {
        // The client is gone, so nobody reads an answer or an error.
        if (!signal.aborted) throw error;
      });
      if (body === undefined) return;
      if (asOf !== undefined) {
        response.set('age', String(Math.floor(asOf.ageMs / 1_000)));
        response.set('x-syncline-as-of', new Date(asOf.atMs).toISOString());
      }
      response.type('json').send(body);
    });
  }
  return router.use(answerError);
}

function serverOf(request: Request): VersionsRequest {
  return { name: String(request.params['serverName']), ...parseVersionQuery(queryOf(request)) };
}

/** Returns a signal that is aborted when the client disconnects, because a long search would go on for nobody. */
function abortedOnClose(response: Response): AbortSignal {
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  return gone.signal;
}

/** Returns the query as the client sent it, because an app may configure its own query parser. */
function queryOf({ originalUrl }: Request): URLSearchParams {
  return new URLSearchParams(originalUrl.split('?').slice(1).join('?'));
}

const answerError: ErrorRequestHandler = (error: unknown, _request, response, next) => {
  const isAnswered = error instanceof SynclineError && ANSWERED.has(error.code);
  if (!isAnswered || response.headersSent) return next(error);
  const body = errorBody(error);
  response.status(body.status).set(errorHeaders(error)).json(body);
};
