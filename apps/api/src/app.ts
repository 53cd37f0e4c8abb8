import { ERRORS, SynclineError } from '@syncline/contract';
import { errorBody, errorHeaders, isScanRequest } from '@syncline/serving';
import { createRegistryRouter } from '@syncline/serving/express';
import express, {
  type ErrorRequestHandler,
  type Express,
  type RequestHandler,
  type Response,
} from 'express';
import { openCatalog } from './catalogs.ts';
import { refuseControl } from './control-policy.ts';
import type { ApiDependencies } from './dependencies.ts';
import { toHttpError } from './http/errors.ts';
import {
  allowAnyOrigin,
  countAs,
  observeRequests,
  readJsonBody,
  refuseNul,
  securityHeaders,
} from './http/middleware.ts';
import type { Answer, Route } from './http/route.ts';
import { ROUTES } from './routes.ts';

/** Creates the api as an Express app. The app does not listen yet. */
export function createApp(dependencies: ApiDependencies): Express {
  const { loadLimiter } = dependencies;
  const app = express();
  app.disable('x-powered-by');
  app.enable('case sensitive routing');
  // Disables Express's query parser, because handlers parse the raw query themselves.
  app.set('query parser', false);

  app.use(observeRequests(dependencies), securityHeaders);
  app.use('/registry', allowAnyOrigin);
  app.use(refuseNul);
  for (const route of ROUTES) mount(app, route, dependencies);
  const catalogs = { openCatalog: (name: string) => openCatalog(dependencies, name) };
  const limitReads = loadLimiter.limit((request) =>
    isScanRequest(request.originalUrl) ? 'scan' : 'page',
  );
  app.use('/registry', limitReads, createRegistryRouter(catalogs));
  if (dependencies.queueBoard !== undefined) {
    const limitBoard = loadLimiter.limit(() => 'control');
    app.use('/queues', countAs('/queues'), limitBoard, serveQueueBoard(dependencies));
  }
  app.use((request, _response, next) => {
    next(
      new SynclineError(
        'unknown-route',
        `there is no route ${request.method} ${request.path}. GET /openapi.yaml describes all routes`,
      ),
    );
  });
  app.use(answerError(dependencies));
  return app;
}

function mount(app: Express, route: Route, dependencies: ApiDependencies): void {
  const path = route.path.replaceAll(/\{(\w+)\}/g, ':$1');
  const answer: RequestHandler = async (request, response) => {
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    const params: Record<string, string> = {};
    for (const [name, value] of Object.entries(request.params)) params[name] = String(value);
    send(
      response,
      await route.handle(dependencies, {
        params,
        query: new URLSearchParams(request.originalUrl.split('?').slice(1).join('?')),
        body: request.body ?? {},
        signal: AbortSignal.any([gone.signal, dependencies.stopping]),
      }),
    );
  };
  const { cost } = route;
  const limits = cost === 'probe' ? [] : [dependencies.loadLimiter.limit(() => cost)];
  if (route.method === 'GET') {
    app.get(path, countAs(route.path), ...limits, answer);
  } else {
    // A slot is for work. So the body must have arrived before.
    const checks = [requireControl(dependencies), ...readJsonBody];
    app.post(path, countAs(route.path), ...checks, ...limits, answer);
  }
}

function send(response: Response, { status, headers = {}, body }: Answer): void {
  response.status(status).set(headers);
  if (typeof body === 'string') response.send(body);
  else response.json(body);
}

function requireControl({ controlPolicy }: ApiDependencies): RequestHandler {
  return (request, _response, next) => next(refuseControl(controlPolicy, request.headers));
}

/**
 * Serves Bull Board. Callers that may control Syncline get it with actions; other callers get it
 * read-only.
 */
function serveQueueBoard({ controlPolicy, queueBoard }: ApiDependencies): RequestHandler {
  return (request, response, next) => {
    const refusal = refuseControl(controlPolicy, request.headers);
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    if (refusal !== undefined && !isRead) return next(refusal);
    const board = refusal === undefined ? queueBoard?.acting : queueBoard?.readOnly;
    if (board === undefined) next();
    else board(request, response, next);
  };
}

/** Answers every error as JSON of one shape. Logs internal errors with their stack. */
function answerError({ logger }: ApiDependencies): ErrorRequestHandler {
  return (thrown: unknown, request, response, next) => {
    // The response has already started, so Express closes the connection.
    if (response.headersSent) return next(thrown);
    const error = toHttpError(thrown);
    const body = errorBody(error);
    if (body.status >= 500 && ERRORS[error.code].fault !== 'none') {
      logger.error({ err: error, method: request.method, path: request.path }, 'request failed');
    }
    if (error.code === 'unauthorized') response.set('www-authenticate', 'Bearer');
    response.status(body.status).set(errorHeaders(error)).json(body);
  };
}
