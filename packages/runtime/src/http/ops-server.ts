import type { IncomingMessage, ServerResponse } from 'node:http';
import { ERRORS, SynclineError } from '@syncline/contract';
import type { Access } from '../access/access.ts';
import { within } from '../lifecycle/loop.ts';
import { type Readiness, readinessOf } from '../lifecycle/service.ts';
import type { Metrics } from '../metrics/metrics.ts';
import { type HttpServer, type ListenOptions, listen, SECURITY_HEADERS } from './listen.ts';

export interface OpsServerOptions extends ListenOptions {
  readonly access: Pick<Access, 'arrivals' | 'hosts' | 'require'>;
  readonly metrics: Pick<Metrics, 'expose'>;
  readonly readiness: () => Promise<Readiness>;
  /** Returns the problems that only a restart fixes. The list is empty while the process is healthy. */
  readonly liveness: () => readonly string[];
  /** Called with internal errors. The response does not show them. */
  readonly onError: (error: unknown) => void;
}

// An `import` of `node:http` would load the HTTP client behind `fetch`. That takes 70 ms.
const { STATUS_CODES } = process.getBuiltinModule('node:http');

const READINESS_TIMEOUT_MS = 2_000;

/**
 * Serves `/health`, `/readiness` and `/metrics`. `/health` returns 200, or 503 with the problems that only a restart
 * fixes. `/readiness` returns 200, or 503 with the reasons why the process is not ready. `/metrics` needs the role `read`.
 *
 * @throws the system's error if the port is taken
 */
export function startOpsServer(options: OpsServerOptions): Promise<HttpServer> {
  return listen(
    (request, response) => {
      void answer(options, request)
        .catch((error: unknown) => {
          if (error instanceof SynclineError) return refused(error);
          options.onError(error);
          return notOk(500, 'internal', 'something went wrong on our side');
        })
        .then((reply) => send(response, reply));
    },
    { limits: { isProxy: options.access.arrivals.isProxy }, ...options },
  );
}

interface Reply {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

async function answer(options: OpsServerOptions, request: IncomingMessage): Promise<Reply> {
  const { method = '', url = '', headers } = request;
  const path = url.split('?', 1)[0] ?? '';
  const hostRefusal = options.access.hosts.refuse(headers.host, path);
  if (hostRefusal !== undefined) return refused(hostRefusal);
  if (method === 'GET' || method === 'HEAD') {
    if (path === '/health') return healthReply(options.liveness());
    if (path === '/readiness') return readinessReply(options);
    if (path === '/metrics') {
      const { arrivals } = options.access;
      const client = arrivals.clientOf(request);
      const isProxied = arrivals.isProxied(request);
      await options.access.require('read', { method, headers, client, isProxied });
      const { contentType, body } = await options.metrics.expose();
      return { status: 200, contentType, body };
    }
  }
  return notOk(
    404,
    'unknown-route',
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

function refused({ code, message, retryAfterMs }: SynclineError): Reply {
  const wait =
    retryAfterMs === undefined ? {} : { 'retry-after': String(Math.ceil(retryAfterMs / 1_000)) };
  const scheme = code === 'unauthorized' ? { 'www-authenticate': 'Bearer' } : {};
  return { ...notOk(ERRORS[code].status, code, message), headers: { ...wait, ...scheme } };
}

function notOk(status: number, code: string, detail: string): Reply {
  const title = STATUS_CODES[status] ?? 'Error';
  return json(status, { error: detail, title, status, detail, code });
}

function json(status: number, body: object): Reply {
  return { status, contentType: 'application/json; charset=utf-8', body: JSON.stringify(body) };
}

function send(response: ServerResponse, { status, contentType, body, headers }: Reply): void {
  response.writeHead(status, {
    'content-type': contentType,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    ...SECURITY_HEADERS,
    ...headers,
  });
  response.end(body);
}
