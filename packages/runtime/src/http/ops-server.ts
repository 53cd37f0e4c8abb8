import { createServer, type Server, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { within } from '../lifecycle/loop.ts';
import { type Readiness, readinessOf } from '../lifecycle/service.ts';
import type { Metrics } from '../metrics/metrics.ts';

export interface OpsServerOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly metrics: Pick<Metrics, 'expose'>;
  readonly readiness: () => Promise<Readiness>;
  /** What only a restart would mend; none while the process lives. */
  readonly liveness: () => readonly string[];
  /** Told what went wrong inside of us: the answer does not say it. */
  readonly onError: (error: unknown) => void;
}

export interface OpsServer {
  readonly port: number;
  close(): Promise<void>;
}

const READINESS_TIMEOUT_MS = 2_000;

/**
 * Serves `/health` (200, or 503 with what only a restart would mend), `/readiness` (200, or 503 with the
 * problems) and `/metrics`.
 *
 * @throws the system's error where the port cannot be had
 */
export async function startOpsServer(options: OpsServerOptions): Promise<OpsServer> {
  const server = createServer((request, response) => {
    void answer(options, request.method ?? '', request.url ?? '')
      .catch((error: unknown) => {
        options.onError(error);
        return notOk(500, 'internal', 'Internal Server Error', 'something went wrong on our side');
      })
      .then((reply) => send(response, reply));
  });
  answerMalformedRequests(server);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject).listen(options.port, options.host, resolve);
  await promise;
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : options.port,
    close: () =>
      new Promise((closed) => {
        server.close(() => closed());
        server.closeAllConnections();
      }),
  };
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
  return notOk(404, 'unknown-route', 'Not Found', `there is no ${method} ${path}`);
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

const PROBLEMS: Readonly<Record<string, { readonly status: number; readonly detail: string }>> = {
  HPE_HEADER_OVERFLOW: { status: 431, detail: 'the URL and the headers are too long' },
  ERR_HTTP_REQUEST_TIMEOUT: { status: 408, detail: 'the request did not come to its end in time' },
};
const NO_HTTP = { status: 400, detail: 'the request is not valid HTTP' };

/**
 * Has a server answer what is no HTTP, or too much of it, as it answers other errors. Node would send a
 * status and nothing else.
 */
export function answerMalformedRequests(server: Server): void {
  const responses = new WeakMap<Duplex, ServerResponse>();
  server.on('request', ({ socket }, response) => void responses.set(socket, response));
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    const response = responses.get(socket);
    // In the middle of an answer there is no place for another one.
    const isAnswering = response?.headersSent === true && !response.writableFinished;
    if (isAnswering || !socket.writable) socket.destroy();
    else socket.end(rawAnswer(error.code), () => socket.destroy());
  });
}

function rawAnswer(errorCode = ''): string {
  const { status, detail } = PROBLEMS[errorCode] ?? NO_HTTP;
  const title = STATUS_CODES[status] ?? 'Error';
  const body = JSON.stringify({ error: detail, title, status, detail, code: 'bad-request' });
  const headers = {
    ...SECURITY_HEADERS,
    'content-type': 'application/json; charset=utf-8',
    'content-length': String(Buffer.byteLength(body)),
    connection: 'close',
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  return [`HTTP/1.1 ${status} ${title}`, ...lines, '', body].join('\r\n');
}

/** Headers that keep browsers from doing anything else with our answers than reading them. */
export const SECURITY_HEADERS = {
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
} as const;
