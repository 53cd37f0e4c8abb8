import { spawn } from 'node:child_process';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { SEARCH_PATH } from './search-path.ts';

export interface GitHttpServerOptions {
  /** The directory that contains the repositories. */
  readonly root: string;
  readonly login?: { readonly username: string; readonly password: string };
  /** Responds to a request instead of git. If the function returns false, git responds. */
  readonly answer?: (request: IncomingMessage, response: ServerResponse) => boolean;
  readonly tls?: { readonly key: string; readonly cert: string };
}

export interface GitHttpServer {
  /** The URL without a trailing slash. */
  readonly url: string;
  readonly port: number;
  readonly requests: readonly IncomingMessage[];
  /** Returns the total bytes of all response bodies so far. */
  sentBytes(): number;
  close(): Promise<void>;
}

/** Serves repositories with `git http-backend` on the loopback address. */
export async function startGitHttpServer(options: GitHttpServerOptions): Promise<GitHttpServer> {
  const requests: IncomingMessage[] = [];
  let sent = 0;
  const handle = (request: IncomingMessage, response: ServerResponse) => {
    requests.push(request);
    if (options.answer?.(request, response) === true) return;
    if (!isLoggedIn(request, options)) {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="git"' }).end();
      return;
    }
    runBackend(options.root, request, response, (bytes) => {
      sent += bytes;
    });
  };
  const server =
    options.tls === undefined ? createServer(handle) : createTlsServer(options.tls, handle);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('expected a TCP address');
  const scheme = options.tls === undefined ? 'http' : 'https';
  return {
    url: `${scheme}://127.0.0.1:${address.port}`,
    port: address.port,
    requests,
    sentBytes: () => sent,
    close: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

function isLoggedIn({ headers }: IncomingMessage, { login }: GitHttpServerOptions): boolean {
  if (login === undefined) return true;
  const expected = Buffer.from(`${login.username}:${login.password}`).toString('base64');
  return headers.authorization === `Basic ${expected}`;
}

/**
 * Runs the backend as CGI does: variables contain the request, and standard output contains the
 * headers and the body of the response.
 */
function runBackend(
  root: string,
  request: IncomingMessage,
  response: ServerResponse,
  onSent: (bytes: number) => void,
): void {
  const url = new URL(request.url ?? '', 'http://localhost');
  const backend = spawn('git', ['http-backend'], {
    env: {
      PATH: SEARCH_PATH,
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_CONFIG_GLOBAL: '/dev/null',
      GIT_PROJECT_ROOT: root,
      GIT_HTTP_EXPORT_ALL: '1',
      PATH_INFO: decodeURIComponent(url.pathname),
      QUERY_STRING: url.search.slice(1),
      REQUEST_METHOD: request.method ?? 'GET',
      CONTENT_TYPE: request.headers['content-type'] ?? '',
      HTTP_CONTENT_ENCODING: String(request.headers['content-encoding'] ?? ''),
      GIT_PROTOCOL: String(request.headers['git-protocol'] ?? ''),
    },
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  backend.stdin.on('error', () => {});
  request.pipe(backend.stdin);
  response.on('close', () => backend.kill());
  let head: Buffer | undefined = Buffer.alloc(0);
  backend.stdout.on('data', (chunk: Buffer) => {
    if (head === undefined) {
      onSent(chunk.length);
      response.write(chunk);
      return;
    }
    head = Buffer.concat([head, chunk]);
    const end = head.indexOf('\r\n\r\n');
    if (end < 0) return;
    writeHead(head.toString('latin1', 0, end), response);
    const body = head.subarray(end + 4);
    head = undefined;
    onSent(body.length);
    response.write(body);
  });
  backend.on('close', () => response.end());
}

function writeHead(head: string, response: ServerResponse): void {
  for (const line of head.split('\r\n')) {
    const [name = '', value = ''] = line.split(/: (.*)/s);
    if (name.toLowerCase() === 'status') response.statusCode = Number.parseInt(value, 10);
    else response.setHeader(name, value);
  }
}
