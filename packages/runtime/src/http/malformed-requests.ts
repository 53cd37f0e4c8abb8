import type { Server, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { STATUS_CODES } from './node-http.ts';
import { SECURITY_HEADERS } from './security-headers.ts';

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
