import type { Queue } from 'bullmq';
import express, { type Express, type RequestHandler } from 'express';

/** Bull Board twice, to be mounted at the same path: for those with control, and for those without. */
export interface QueueBoard {
  readonly acting: RequestHandler;
  readonly readOnly: RequestHandler;
}

export interface QueueBoardOptions {
  readonly queue: Queue;
  /** Where it is mounted, for its links. */
  readonly basePath: string;
  /** How many Job Schedulers there are, cheaply. */
  readonly countSchedulers: () => Promise<number>;
}

/** Bull Board loads all Job Schedulers at once: at 10,000 that takes a second of this process. */
const MAX_SCHEDULERS = 500;

// Its page has an inline style; it would load fonts from elsewhere, which it can do without.
const CONTENT_SECURITY_POLICY = [
  "default-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "base-uri 'self'",
  "frame-ancestors 'none'",
].join('; ');

/** A dashboard of the queue. It is loaded for the first request, for few processes are ever asked. */
export function createQueueBoard(options: QueueBoardOptions): QueueBoard {
  return {
    acting: onFirstRequest(() => board(options, { readOnly: false })),
    readOnly: onFirstRequest(() => board(options, { readOnly: true })),
  };
}

function onFirstRequest(build: () => Promise<RequestHandler>): RequestHandler {
  let built: Promise<RequestHandler> | undefined;
  return async (request, response, next) => {
    built ??= build();
    (await built)(request, response, next);
  };
}

async function board(
  { queue, basePath, countSchedulers }: QueueBoardOptions,
  { readOnly }: { readOnly: boolean },
): Promise<RequestHandler> {
  const [{ createBullBoard }, { BullMQAdapter }, { ExpressAdapter }] = await Promise.all([
    import('@bull-board/api'),
    import('@bull-board/api/bullMQAdapter'),
    import('@bull-board/express'),
  ]);
  const adapter = new ExpressAdapter().setBasePath(basePath);
  createBullBoard({
    queues: [new BullMQAdapter(queue, { readOnlyMode: readOnly })],
    serverAdapter: adapter,
    options: { uiConfig: { boardTitle: 'Syncline' } },
  });
  // It would say itself what went wrong, in development with the stack: whoever has mounted it is to say it.
  adapter.setErrorHandler((error) => {
    throw error;
  });
  const dashboard: Express = adapter.getRouter();
  dashboard.disable('x-powered-by');
  const router = express.Router();
  router.use((_request, response, next) => {
    response.set('content-security-policy', CONTENT_SECURITY_POLICY);
    next();
  });
  router.get('/api/job-schedulers', limitSchedulers(countSchedulers));
  router.use(dashboard);
  return router;
}

function limitSchedulers(countSchedulers: () => Promise<number>): RequestHandler {
  return async (_request, response, next) => {
    const count = await countSchedulers();
    if (count <= MAX_SCHEDULERS) return next();
    const detail = `there are ${count} Job Schedulers, too many to show at once; see GET /v1/registries`;
    // `schedulers` and `message` are for Bull Board's page: it shows the one and survives by the other.
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
