import { SynclineError } from '@syncline/contract';
import type { Queue } from 'bullmq';
import express, { type Express, type RequestHandler } from 'express';

/** Bull Board in two variants for the same path: with actions, and read-only. */
export interface QueueBoard {
  readonly acting: RequestHandler;
  readonly readOnly: RequestHandler;
}

export interface QueueBoardOptions {
  readonly queue: Queue;
  /** The path at which Bull Board is mounted. Its links need this path. */
  readonly basePath: string;
  /** Returns the number of Job Schedulers, without loading them. */
  readonly countSchedulers: () => Promise<number>;
}

/**
 * Bull Board loads all Job Schedulers at once. Loading 10,000 of them blocks this process for a second.
 */
const MAX_SCHEDULERS = 500;
const MAX_JOBS = 50;
/** A file of the page is sent while the request has its slot, so its reader must go on reading. */
const STALLED_AFTER_MS = 10_000;

// The page has an inline style. It also tries to load fonts from another site, but works without them.
const CONTENT_SECURITY_POLICY = [
  "default-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "base-uri 'self'",
  "frame-ancestors 'none'",
].join('; ');

/** Loading blocks the process for a quarter of a second. Under an attack, that would be the worst moment. */
const LOAD_AFTER_MS = 1_000;

function loadBullBoard() {
  return Promise.all([
    import('@bull-board/api'),
    import('@bull-board/api/bullMQAdapter'),
    import('@bull-board/express'),
  ]);
}

/**
 * Creates the dashboard of the queue. The dashboard loads a second later or at the first request, so that the
 * process starts faster.
 */
export function createQueueBoard(options: QueueBoardOptions): QueueBoard {
  setTimeout(() => void loadBullBoard().catch(() => {}), LOAD_AFTER_MS).unref();
  return {
    acting: onFirstRequest(() => board(options, { readOnly: false })),
    readOnly: onFirstRequest(() => board(options, { readOnly: true })),
  };
}

function onFirstRequest(build: () => Promise<RequestHandler>): RequestHandler {
  let built: Promise<RequestHandler> | undefined;
  return async (request, response, next) => {
    built ??= build().catch((error: unknown) => {
      built = undefined;
      throw error;
    });
    return (await built)(request, response, next);
  };
}

async function board(
  { queue, basePath, countSchedulers }: QueueBoardOptions,
  { readOnly }: { readOnly: boolean },
): Promise<RequestHandler> {
  const [{ createBullBoard }, { BullMQAdapter }, { ExpressAdapter }] = await loadBullBoard();
  const adapter = new ExpressAdapter().setBasePath(basePath);
  createBullBoard({
    queues: [new BullMQAdapter(queue, { readOnlyMode: readOnly })],
    serverAdapter: adapter,
    options: {
      uiConfig: {
        boardTitle: 'Syncline',
        miscLinks: [{ text: 'Sign in or out', url: `/sign-in?next=${basePath}` }],
      },
    },
  });
  // Bull Board itself would answer errors, in development with the stack. With this handler, the api
  // answers them.
  adapter.setErrorHandler((error) => {
    throw error;
  });
  const dashboard: Express = adapter.getRouter();
  dashboard.disable('x-powered-by');
  const router = express.Router();
  router.use((_request, response, next) => {
    response.set('content-security-policy', CONTENT_SECURITY_POLICY);
    response.setTimeout(STALLED_AFTER_MS, () => response.destroy());
    next();
  });
  router.get('/api/queues', limitJobs);
  router.get('/api/job-schedulers', limitSchedulers(countSchedulers));
  router.use(dashboard);
  return router;
}

/** Bull Board loads as many jobs as the request asks for. Its own page asks for at most {@link MAX_JOBS}. */
const limitJobs: RequestHandler = (request, _response, next) => {
  const query = new URLSearchParams(request.originalUrl.split('?').slice(1).join('?'));
  const counts = query.getAll('jobsPerPage');
  const isTooLarge = counts.some((count) => !(Number(count) <= MAX_JOBS));
  const advice = `jobsPerPage: use a number up to ${MAX_JOBS}`;
  next(isTooLarge ? new SynclineError('bad-request', advice) : undefined);
};

function limitSchedulers(countSchedulers: () => Promise<number>): RequestHandler {
  return async (_request, response, next) => {
    const count = await countSchedulers();
    if (count <= MAX_SCHEDULERS) return next();
    const detail = `the queue has ${count} Job Schedulers, too many to show at once. Use GET /v1/registries instead`;
    // The page of Bull Board shows `message`, and fails without `schedulers`.
    response.status(413).json({
      error: 'Too many Job Schedulers',
      title: 'Payload Too Large',
      status: 413,
      detail,
      code: 'body-too-large',
      message: detail,
      schedulers: [],
    });
  };
}
