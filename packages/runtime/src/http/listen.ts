import { once } from 'node:events';
import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { type ConnectionLimits, limitConnections } from './limit-connections.ts';
import { oneAtATime } from './one-at-a-time.ts';

// An `import` of `node:http` reads all of its exports. So it also loads the HTTP client that `fetch` uses,
// which takes 70 ms.
const { createServer, STATUS_CODES } = process.getBuiltinModule('node:http');

export interface ListenOptions {
  readonly host: string;
  /** The port. With 0, the system chooses a free port. */
  readonly port: number;
  /** Replaces the built-in limits. */
  readonly limits?: Partial<ServerLimits>;
}

interface ServerLimits extends ConnectionLimits {
  /** How long the headers of a request may take, also of the first request of a connection. */
  readonly headersMs: number;
  /** How long a whole request may take to arrive. */
  readonly requestMs: number;
  /** How long a connection without a request stays open. */
  readonly idleMs: number;
}

const DEFAULT_LIMITS: ServerLimits = {
  headersMs: 10_000,
  requestMs: 30_000,
  idleMs: 5_000,
  total: 2_048,
  perAddress: 512,
  isProxy: () => false,
};
/** How often the server looks for requests that take too long. */
const CHECK_EVERY_MS = 1_000;

export interface HttpServer {
  readonly port: number;
  /**
   * Stops taking requests, gives the requests in progress `graceMs` to end, and then closes their
   * connections.
   */
  close(options: { readonly graceMs: number }): Promise<void>;
}

/**
 * Starts an HTTP server. Resolves when the server takes requests. @throws the system's error if the port is
 * taken
 */
export async function listen(
  handle: RequestListener,
  { host, port, limits }: ListenOptions,
): Promise<HttpServer> {
  const { headersMs, requestMs, idleMs, ...connections } = { ...DEFAULT_LIMITS, ...limits };
  const server = createServer(
    {
      headersTimeout: headersMs,
      requestTimeout: requestMs,
      keepAliveTimeout: idleMs,
      connectionsCheckingInterval: Math.min(CHECK_EVERY_MS, headersMs),
    },
    oneAtATime(withPathOnly(handle), (socket) => guard.refuse(socket)),
  );
  const guard = limitConnections(server, connections);
  answerMalformedRequests(server);
  let closing = false;
  server.on('request', (request, response) => {
    closeIfUnread(request, response);
    // `server.close` closes only the connections that are idle at that moment. This handler closes the
    // connections that become idle later.
    response.once('close', () => {
      if (closing) setImmediate(() => server.closeIdleConnections());
    });
  });
  server.listen(port, host);
  await once(server, 'listening');
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : port,
    close: async ({ graceMs }) => {
      closing = true;
      const cut = setTimeout(() => server.closeAllConnections(), graceMs);
      server.close();
      await once(server, 'close');
      clearTimeout(cut);
    },
  };
}

/**
 * Turns the absolute form of a request target into a path, because routers would otherwise fail to parse some of them.
 * @see RFC 9112, section 3.2.2: the target then replaces the `Host` header
 */
function withPathOnly(handle: RequestListener): RequestListener {
  return (request, response) => {
    const { url = '' } = request;
    if (!url.startsWith('/') && url !== '*') {
      const target = URL.parse(url);
      if (target === null) {
        const { status, headers, body } = problemAnswer();
        response.writeHead(status, headers).end(body);
        return;
      }
      request.url = target.pathname + target.search;
      request.headers.host = target.host;
    }
    handle(request, response);
  };
}

/** Closes the connection if the answer comes before the body. Node would otherwise read the body to its end. */
function closeIfUnread(request: IncomingMessage, response: ServerResponse): void {
  const { 'content-length': length = '0', 'transfer-encoding': encoding } = request.headers;
  if (length === '0' && encoding === undefined) return;
  const writeHead = response.writeHead.bind(response);
  response.writeHead = (status: number, ...rest: never[]) => {
    if (!request.complete) response.setHeader('connection', 'close');
    return writeHead(status, ...rest);
  };
}

const PROBLEMS: Readonly<Record<string, { readonly status: number; readonly detail: string }>> = {
  HPE_HEADER_OVERFLOW: { status: 431, detail: 'the URL and the headers are too long' },
  ERR_HTTP_REQUEST_TIMEOUT: { status: 408, detail: 'the request did not arrive in time' },
};
const ANSWER_FOR_MS = 1_000;
const NO_HTTP = { status: 400, detail: 'the request is not valid HTTP' };

/**
 * Responds to invalid or oversized HTTP requests with a body of the same form as for other errors. Node would
 * send only a status.
 */
function answerMalformedRequests(server: Server): void {
  const responses = new WeakMap<Duplex, ServerResponse>();
  server.on('request', ({ socket }, response) => {
    const isOpen = responses.get(socket)?.writableFinished === false;
    if (!isOpen) responses.set(socket, response);
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    const response = responses.get(socket);
    // A second response cannot start in the middle of another response.
    const isAnswering = response?.headersSent === true && !response.writableFinished;
    if (isAnswering || !socket.writable) {
      socket.destroy();
      return;
    }
    socket.end(rawAnswer(error.code), () => socket.destroy());
    // The client may not read the answer.
    setTimeout(() => socket.destroy(), ANSWER_FOR_MS).unref();
  });
}

function problemAnswer(errorCode = '') {
  const { status, detail } = PROBLEMS[errorCode] ?? NO_HTTP;
  const title = STATUS_CODES[status] ?? 'Error';
  const body = JSON.stringify({ error: detail, title, status, detail, code: 'bad-request' });
  const headers = {
    ...SECURITY_HEADERS,
    'content-type': 'application/json; charset=utf-8',
    'content-length': String(Buffer.byteLength(body)),
    connection: 'close',
  };
  return { status, title, headers, body };
}

function rawAnswer(errorCode?: string): string {
  const { status, title, headers, body } = problemAnswer(errorCode);
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  return [`HTTP/1.1 ${status} ${title}`, ...lines, '', body].join('\r\n');
}

/** Headers that prevent browsers from doing anything with our responses except reading them. */
export const SECURITY_HEADERS = {
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
} as const;
