import { createServer, type IncomingMessage, request as sendRequest } from 'node:http';
import { connect, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

export interface LocalProxy {
  readonly port: number;
  /** The requested targets: a URL, or `CONNECT host:port`. */
  readonly asked: readonly string[];
  readonly authorizations: readonly (string | undefined)[];
}

/**
 * Starts a proxy on the loopback address, which is closed after the test. The proxy connects to
 * 127.0.0.1, whatever name a client requests.
 */
export async function startLocalProxy({
  refuseWith,
}: {
  refuseWith?: number;
} = {}): Promise<LocalProxy> {
  const asked: string[] = [];
  const authorizations: (string | undefined)[] = [];
  const sockets = new Set<Socket>();
  const note = (what: string, { headers }: IncomingMessage) => {
    asked.push(what);
    authorizations.push(headers['proxy-authorization']);
  };

  const server = createServer((request, response) => {
    note(request.url ?? '', request);
    if (refuseWith !== undefined) return void response.writeHead(refuseWith).end();
    const { port, pathname, search } = new URL(request.url ?? '');
    const { 'proxy-authorization': _own, ...headers } = request.headers;
    const options = { host: '127.0.0.1', port, path: pathname + search, headers };
    sendRequest(options, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    }).end();
  });
  server.on('connect', (request, socket: Socket) => {
    note(`CONNECT ${request.url}`, request);
    socket.on('error', () => {});
    sockets.add(socket);
    if (refuseWith !== undefined) return void socket.end(`HTTP/1.1 ${refuseWith} No\r\n\r\n`);
    const target = connect(Number(request.url?.split(':').at(-1)), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      target.pipe(socket).pipe(target);
    });
    sockets.add(target.on('error', () => socket.destroy()));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    server.closeAllConnections();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('expected a TCP address');
  return { port: address.port, asked, authorizations };
}
