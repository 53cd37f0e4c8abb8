import { setTimeout as sleep } from 'node:timers/promises';
import { ERRORS, type ErrorCode, SynclineError } from '@syncline/contract';
import { errorBody, errorHeaders, isScanRequest } from '@syncline/serving';
import { createRegistryRouter } from '@syncline/serving/express';
import express, {
  type ErrorRequestHandler,
  type Express,
  type Request,
  type RequestHandler,
  type Response,
} from 'express';
import { createGuard, type Guard, principalOf } from './access/guard.ts';
import { createSessions } from './access/sessions.ts';
import { createSignIn, SIGN_IN_PATH, SIGN_OUT_PATH } from './access/sign-in.ts';
import type { QueueBoard } from './bull-board.ts';
import { openCatalog } from './catalogs.ts';
import type { ApiDependencies } from './dependencies.ts';
import { toHttpError } from './http/errors.ts';
import {
  allowOtherOrigins,
  countAs,
  observeRequests,
  readJsonBody,
  refuseNul,
  refuseOtherHosts,
  securityHeaders,
} from './http/middleware.ts';
import type { Answer, Route } from './http/route.ts';
import { Refusals } from './load/refusals.ts';
import { ROUTES } from './routes.ts';

const LOG_EVERY_MS = 60_000;

/** Creates the api as an Express app. The app does not listen yet. */
export function createApp(dependencies: ApiDependencies): Express {
  const { loadLimiter } = dependencies;
  const app = express();
  app.disable('x-powered-by');
  app.enable('case sensitive routing');
  // Disables Express's query parser, because handlers parse the raw query themselves.
  app.set('query parser', false);

  const { access } = dependencies;
  const sessions = createSessions(access);
  const guard = createGuard({ access, ways: [sessions.identify] });

  app.use(observeRequests(dependencies), securityHeaders, loadLimiter.begin);
  app.use(refuseOtherHosts(dependencies));
  app.use('/registry/:catalog', allowOtherOrigins(dependencies));
  app.use(refuseNul);
  app.use(SIGN_IN_PATH, countAs(SIGN_IN_PATH));
  app.use(
    [SIGN_IN_PATH, SIGN_OUT_PATH],
    loadLimiter.limit(() => 'control'),
  );
  app.use(createSignIn({ access, sessions }));
  for (const route of ROUTES) mount(app, route, { dependencies, guard });
  const catalogs = { openCatalog: (name: string) => openCatalog(dependencies, name) };
  const limitReads = loadLimiter.limit((request) =>
    isScanRequest(request.originalUrl) ? 'scan' : 'page',
  );
  app.use('/registry', limitReads, createRegistryRouter(catalogs));
  if (dependencies.queueBoard !== undefined) {
    const limitBoard = loadLimiter.limit(({ method }) => (isRead(method) ? 'board' : 'control'));
    const [checkRole, serve] = serveQueueBoard(dependencies.queueBoard, guard);
    app.use('/queues', countAs('/queues'), checkRole, limitBoard, serve);
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

interface Mounting {
  readonly dependencies: ApiDependencies;
  readonly guard: Guard;
}

function mount(app: Express, route: Route, { dependencies, guard }: Mounting): void {
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
        whileWaiting: (work) => dependencies.loadLimiter.whileWaiting(request, response, work),
      }),
    );
  };
  const { access, cost } = route;
  const guards = access === 'open' ? [] : [guard(() => access)];
  const limits = cost === 'probe' ? [] : [dependencies.loadLimiter.limit(() => cost)];
  // A slot is for work. So the body must have arrived before.
  const body = route.method === 'GET' ? [] : readJsonBody;
  const handlers = [countAs(route.path), ...guards, ...body, ...limits, answer];
  if (route.method === 'GET') app.get(path, ...handlers);
  else app.post(path, ...handlers);
}

function send(response: Response, { status, headers = {}, body }: Answer): void {
  response.status(status).set(headers);
  if (typeof body === 'string') response.send(body);
  else response.json(body);
}

function isRead(method: string): boolean {
  return method === 'GET' || method === 'HEAD';
}

/** Serves Bull Board: with actions to callers with the role `operate`, and read-only to other callers. */
function serveQueueBoard(board: QueueBoard, guard: Guard): [RequestHandler, RequestHandler] {
  return [
    guard(({ method }) => (isRead(method) ? 'read' : 'operate')),
    (request, response, next) => {
      const { role } = principalOf(response);
      const serve = role === 'operate' ? board.acting : board.readOnly;
      return serve(request, response, next);
    },
  ];
}

/** Answers every error as JSON of one shape. Logs internal errors with their stack. */
function answerError({ logger, access, loadLimiter }: ApiDependencies): ErrorRequestHandler {
  const refusals = new Refusals();
  const logged = new Map<ErrorCode, { atMs: number; unlogged: number }>();
  /** Writes at most one line a minute for each code: anyone can cause some errors, and a flood of lines costs time. */
  const log = (error: SynclineError, { method, path }: Request) => {
    const nowMs = performance.now();
    const last = logged.get(error.code);
    if (last !== undefined && nowMs - last.atMs < LOG_EVERY_MS) {
      last.unlogged += 1;
      return;
    }
    logged.set(error.code, { atMs: nowMs, unlogged: 0 });
    const unlogged = last === undefined || last.unlogged === 0 ? {} : { unlogged: last.unlogged };
    logger.error({ err: error, method, path, ...unlogged }, 'request failed');
  };
  return async (thrown: unknown, request, response, next) => {
    // The response has already started, so Express closes the connection.
    if (response.headersSent) return next(thrown);
    const error = toHttpError(thrown);
    const body = errorBody(error);
    if (body.status >= 500 && ERRORS[error.code].fault !== 'none') {
      log(error, request);
    }
    const delayMs = refusals.delayMs(access.arrivals.clientOf(request), error.code);
    if (delayMs > 0) {
      loadLimiter.leave(response);
      await sleep(delayMs);
    }
    if (error.code === 'unauthorized') response.set('www-authenticate', 'Bearer');
    response.status(body.status).set(errorHeaders(error)).json(body);
  };
}
