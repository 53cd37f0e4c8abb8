import type { ServerResponse } from 'node:http';
import { within } from '../lifecycle/loop.ts';
import { type Readiness, readinessOf } from '../lifecycle/service.ts';
import type { Metrics } from '../metrics/metrics.ts';
import { type HttpServer, type ListenOptions, listen, SECURITY_HEADERS } from './listen.ts';

export interface OpsServerOptions extends ListenOptions {
  readonly metrics: Pick<Metrics, 'expose'>;
  readonly readiness: () => Promise<Readiness>;
  /** Returns the problems that only a restart fixes. The list is empty while the process is healthy. */
  readonly liveness: () => readonly string[];
  /** Called with internal errors. The response does not show them. */
  readonly onError: (error: unknown) => void;
}

const READINESS_TIMEOUT_MS = 2_000;

/**
 * Serves `/health`, `/readiness` and `/metrics`. `/health` returns 200, or 503 with the problems that only a restart
 * fixes. `/readiness` returns 200, or 503 with the reasons why the process is not ready.
 *
 * @throws the system's error if the port is taken
 */
export function startOpsServer(options: OpsServerOptions): Promise<HttpServer> {
  return listen((request, response) => {
    void answer(options, request.method ?? '', request.url ?? '')
      .catch((error: unknown) => {
        options.onError(error);
        return notOk(500, 'internal', 'Internal Server Error', 'something went wrong on our side');
      })
      .then((reply) => send(response, reply));
  }, options);
}

interface Reply {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

async function answer(options: OpsServerOptions, method: string, url: string): Promise<Reply> {
  const path = url.split('?', 1)[0];
  if (method === 'GET' || method === 'HEAD') {
    if (path === '/health') return healthReply(options.liveness());
    if (path === '/readiness') return readinessReply(options);
    if (path === '/metrics') {
      const { contentType, body } = await options.metrics.expose();
      return { status: 200, contentType, body };
    }
  }
  return notOk(
    404,
    'unknown-route',
    'Not Found',
    `there is no route ${method} ${path}. Use GET /health, /readiness or /metrics`,
  );
}

function healthReply(problems: readonly string[]): Reply {
  return problems.length === 0
    ? json(200, { status: 'ok' })
    : json(503, { status: 'wedged', problems });
}

async function readinessReply(options: OpsServerOptions): Promise<Reply> {
  const readiness = await within(READINESS_TIMEOUT_MS, options.readiness()).catch(
    (error: unknown) => readinessOf([error instanceof Error ? error.message : String(error)]),
  );
  return json(readiness.ready ? 200 : 503, readiness);
}

function notOk(status: number, code: string, title: string, detail: string): Reply {
  return json(status, { error: detail, title, status, detail, code });
}

function json(status: number, body: object): Reply {
  return { status, contentType: 'application/json; charset=utf-8', body: JSON.stringify(body) };
}

function send(response: ServerResponse, { status, contentType, body }: Reply): void {
  response.writeHead(status, {
    'content-type': contentType,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    ...SECURITY_HEADERS,
  });
  response.end(body);
}
