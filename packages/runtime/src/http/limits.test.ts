import { once } from 'node:events';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect, onTestFinished, test } from 'vitest';
import { type ListenOptions, listen } from './listen.ts';

async function serve(handle: RequestListener, limits: ListenOptions['limits'] = {}) {
  const { port, close } = await listen(handle, { host: '127.0.0.1', port: 0, limits });
  onTestFinished(() => close({ graceMs: 0 }));
  const open = (localAddress = '127.0.0.1'): Socket => {
    const socket = connect({ port, host: '127.0.0.1', localAddress }).on('error', () => {});
    onTestFinished(() => void socket.destroy());
    return socket;
  };
  return { open };
}

/** Resolves when a connection has ended, also if the other side reset it. */
function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once('close', () => resolve()));
}

const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`;

test('pipelined requests are handled one after the other', async () => {
  const handled: string[] = [];
  let inProgress = 0;
  const { open } = await serve((request: IncomingMessage, response: ServerResponse) => {
    inProgress += 1;
    handled.push(`${request.url} with ${inProgress}`);
    setImmediate(() => {
      inProgress -= 1;
      response.end(request.url);
    });
  });
  const socket = open();
  socket.write(`${get('/a')}${get('/b')}GET /c HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
  const answers = await text(socket);
  expect(answers.match(/\/[abc]$|\/[abc](?=HTTP)/g)).toEqual(['/a', '/b', '/c']);
  expect(handled).toEqual(['/a with 1', '/b with 1', '/c with 1']);
});

test('a client that pipelines too many requests is disconnected and refused, and others are served', async () => {
  const handled: string[] = [];
  const { open } = await serve((request, response) => {
    handled.push(request.url ?? '');
    if (request.url === '/other') response.end('fine');
  });
  const idle = open();
  await once(idle, 'connect');
  const socket = open();
  socket.write(get('/').repeat(20_000));
  await Promise.all([closed(socket), closed(idle), once(socket, 'connect')]);
  await closed(open());
  const other = open('127.0.0.2');
  other.write(get('/other'));
  expect(String(await once(other, 'data'))).toContain('fine');
  expect(handled).toEqual(['/', '/other']);
});

test('a client address has a limit of connections, and others are served', async () => {
  const { open } = await serve((_request, response) => response.end('fine'), { perAddress: 3 });
  const first = Array.from({ length: 3 }, () => open());
  await Promise.all(first.map((socket) => once(socket, 'connect')));
  for (const socket of first) {
    socket.write(get('/'));
    await once(socket, 'data');
  }
  await closed(open());
  const other = open('127.0.0.2');
  other.write(get('/'));
  expect(String(await once(other, 'data'))).toContain('fine');
  first[0]?.destroy();
  // The server notices the end of the first connection within a moment.
  for (;;) {
    const next = open();
    next.write(get('/'));
    const event = await Promise.race([
      once(next, 'data').then(() => 'answer'),
      closed(next).then(() => 'close'),
    ]);
    if (event === 'answer') break;
  }
});

test('a proxy has no limit of connections', async () => {
  const isProxy = (address: string) => address === '127.0.0.1';
  const limits = { perAddress: 1, isProxy };
  const { open } = await serve((_request, response) => response.end('fine'), limits);
  for (const socket of [open(), open(), open()]) {
    socket.write(get('/'));
    await once(socket, 'data');
  }
});

test.each([
  ['nothing', ''],
  ['part of the headers', 'GET / HTTP/1.1\r\nHost: x\r\n'],
  ['part of the body', 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc'],
])('a connection that sends %s and then waits is closed', async (_what, sent) => {
  const { open } = await serve(() => {}, { headersMs: 100, requestMs: 200 });
  const socket = open();
  socket.write(sent);
  expect(await text(socket)).toMatch(/^HTTP\/1\.1 408 |^$/);
});
