import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { answerMalformedRequests } from '@syncline/runtime';

export interface ListenOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
}

export interface HttpServer {
  readonly port: number;
  /** Takes no more requests, lets those under way end for `graceMs`, then cuts them off. */
  close(options: { graceMs: number }): Promise<void>;
}

/** Resolves when the server takes requests. @throws the system's error where the port cannot be had */
export async function listen(
  handle: RequestListener,
  { host, port }: ListenOptions,
): Promise<HttpServer> {
  const server = createServer(handle);
  answerMalformedRequests(server);
  let closing = false;
  server.on('request', (_request, response) => {
    // Node closes connections that are idle when it is told to; not those that come to be so later.
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
