import { type Config, corsSetting, SynclineError } from '@syncline/contract';
import { SECURITY_HEADERS } from '@syncline/runtime';
import express, { type RequestHandler } from 'express';
import type { ApiDependencies } from '../dependencies.ts';

const MAX_BODY_BYTES = 16 * 1024;
const PREFLIGHT_MAX_AGE_SECONDS = 86_400;

/** Reports each answered request to the metrics, and to the log at level debug. */
export function observeRequests({ metrics, logger }: ApiDependencies): RequestHandler {
  return (request, response, next) => {
    const startedAtMs = performance.now();
    response.once('close', () => {
      const observation = {
        method: request.method,
        route: routeOf(response.locals),
        status: response.statusCode,
        durationMs: performance.now() - startedAtMs,
      };
      metrics.httpRequest(observation);
      logger.debug({ ...observation, path: request.originalUrl }, 'request answered');
    });
    next();
  };
}

/** Sets the route under which the metrics count a request. */
export function countAs(route: string): RequestHandler {
  return (_request, response, next) => {
    response.locals['route'] = route;
    next();
  };
}

function routeOf(locals: Readonly<Record<string, unknown>>): string {
  const route = locals['route'];
  return typeof route === 'string' ? route : 'unmatched';
}

/** Sets {@link SECURITY_HEADERS}, and makes caches revalidate each response. */
export const securityHeaders: RequestHandler = (_request, response, next) => {
  response.set({ ...SECURITY_HEADERS, 'cache-control': 'no-cache' });
  next();
};

/** Rejects requests for another host than this api. */
export function refuseOtherHosts({ access }: ApiDependencies): RequestHandler {
  return (request, _response, next) =>
    next(access.hosts.refuse(request.headers.host, request.path));
}

/**
 * Lets web pages of any origin read a catalog and its errors, and answers their preflight requests, unless the config
 * forbids that.
 */
export function allowOtherOrigins({ config }: ApiDependencies): RequestHandler {
  let known: { readonly config: Config; readonly cors: Map<string, boolean> } | undefined;
  const settingOf = (name: string) => {
    const current = config.current();
    if (current === undefined) return undefined;
    if (known?.config !== current) known = { config: current, cors: new Map() };
    const setting = known.cors.get(name) ?? corsSetting(current, name);
    // Only known names, because anyone can ask for others.
    if (setting !== undefined) known.cors.set(name, setting);
    return setting;
  };
  return async (request, response, next) => {
    const name = String(request.params['catalog']);
    // A newer config may have the name, and forbid other origins.
    const isCurrent =
      settingOf(name) !== undefined ||
      (await config.refresh().then(
        () => true,
        () => false,
      ));
    if (isCurrent && settingOf(name) !== false) allowAnyOrigin(request, response, next);
    else next();
  };
}

const allowAnyOrigin: RequestHandler = (request, response, next) => {
  response.set({
    'access-control-allow-origin': '*',
    'access-control-allow-methods': 'GET, OPTIONS',
    'access-control-allow-headers': 'Authorization, Content-Type',
    'access-control-expose-headers': 'Age, Retry-After, X-Syncline-As-Of',
  });
  if (request.method !== 'OPTIONS') return next();
  response.set('access-control-max-age', String(PREFLIGHT_MAX_AGE_SECONDS)).status(204).end();
};

/**
 * Rejects URLs with a NUL byte. No valid name, version or search contains NUL, and stores and logs may
 * treat it as the end of a text.
 */
export const refuseNul: RequestHandler = (request, _response, next) => {
  next(
    request.originalUrl.includes('%00')
      ? new SynclineError('bad-request', 'the URL contains a NUL byte. Remove it')
      : undefined,
  );
};

/** Reads a JSON body if the request has one. Rejects other content types. */
export const readJsonBody: RequestHandler[] = [
  (request, _response, next) => {
    const { 'content-length': length = '0', 'transfer-encoding': encoding } = request.headers;
    const hasBody = length !== '0' || encoding !== undefined;
    next(
      hasBody && request.is('application/json') === false
        ? new SynclineError(
            'unsupported-media-type',
            'the type of the body is not supported. Send Content-Type: application/json',
          )
        : undefined,
    );
  },
  (request, _response, next) => {
    // Rejects a large body at once. The parser would first read such a body to its end.
    next(
      Number(request.headers['content-length'] ?? 0) > MAX_BODY_BYTES
        ? new SynclineError('body-too-large', 'the body is too large. Send a smaller body')
        : undefined,
    );
  },
  express.json({ limit: MAX_BODY_BYTES, inflate: false }),
];
