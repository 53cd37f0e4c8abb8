import { once } from 'node:events';
import type { RequestListener, Server, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';

// An `import` of the module reads each of its exports, and so loads the HTTP client behind `fetch`: 70 ms.
const { createServer, STATUS_CODES } = process.getBuiltinModule('node:http');

export interface ListenOptions {
  readonly host: string;
  /** 0 takes a free port. */
  readonly port: number;
}

export interface HttpServer {
  readonly port: number;
  /** Takes no more requests, lets those in progress end for `graceMs`, then cuts their connections. */
  close(options: { readonly graceMs: number }): Promise<void>;
}

/** Starts an HTTP server. Resolves when it takes requests. @throws the system's error if the port is taken */
export async function listen(
  handle: RequestListener,
  { host, port }: ListenOptions,
): Promise<HttpServer> {
  const server = createServer(handle);
  answerMalformedRequests(server);
  let closing = false;
  server.on('request', (_request, response) => {
    // `server.close` closes the connections that are idle then, but none that become idle later.
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

const PROBLEMS: Readonly<Record<string, { readonly status: number; readonly detail: string }>> = {
  HPE_HEADER_OVERFLOW: { status: 431, detail: 'the URL and the headers are too long' },
  ERR_HTTP_REQUEST_TIMEOUT: { status: 408, detail: 'the request did not arrive in time' },
};
const NO_HTTP = { status: 400, detail: 'the request is not valid HTTP' };

/** Answers invalid or oversized HTTP like other errors. Node would only send a status. */
function answerMalformedRequests(server: Server): void {
  const responses = new WeakMap<Duplex, ServerResponse>();
  server.on('request', ({ socket }, response) => void responses.set(socket, response));
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    const response = responses.get(socket);
    // A second answer cannot start in the middle of another one.
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

/** Headers that let browsers do nothing with our answers except read them. */
export const SECURITY_HEADERS = {
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
} as const;
