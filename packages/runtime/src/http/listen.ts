import { once } from 'node:events';
import type { RequestListener } from 'node:http';
import { answerMalformedRequests } from './malformed-requests.ts';
import { createServer } from './node-http.ts';

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
