import { once } from 'node:events';
import type { RequestListener } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect, onTestFinished, test } from 'vitest';
import { listen, SECURITY_HEADERS } from './listen.ts';

async function serve(handle: RequestListener = (_request, response) => response.end('fine')) {
  const { port, close } = await listen(handle, { host: '127.0.0.1', port: 0 });
  onTestFinished(() => close({ graceMs: 0 }));
  const open = () => connect(port, '127.0.0.1').on('error', () => {});
  return { port, open };
}

const GOOD = 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n';
const POST = 'POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n';
const LONG = 'a'.repeat(20_000);

test.each([
  ['input that is not HTTP', 'garbage\r\n\r\n', 400],
  ['an unknown method', 'FOO / HTTP/1.1\r\nHost: localhost\r\n\r\n', 400],
  ['a NUL in the path', 'GET /a\0b HTTP/1.1\r\nHost: localhost\r\n\r\n', 400],
  [
    'a request with two lengths',
    `GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n`,
    400,
  ],
  ['a long URL', `GET /${LONG} HTTP/1.1\r\nHost: localhost\r\n\r\n`, 431],
  ['a long header', `GET / HTTP/1.1\r\nHost: localhost\r\nX: ${LONG}\r\n\r\n`, 431],
  ['a broken body', `${POST}zz\r\n`, 400],
  ['an invalid request after a valid one', `${GOOD}garbage\r\n\r\n`, 400],
])('%s is answered with an error body', async (_what, sent, status) => {
  const { port, open } = await serve((request, response) => {
    request.resume().once('end', () => response.end('fine'));
  });
  const socket = open();
  socket.write(sent);
  const answers = (await text(socket)).split(/(?=HTTP\/1\.1 )/);
  const [head = '', body = ''] = answers.at(-1)?.split('\r\n\r\n') ?? [];
  expect(head).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
  for (const [name, value] of Object.entries(SECURITY_HEADERS)) {
    expect(head).toContain(`${name}: ${value}`);
  }
  expect(JSON.parse(body)).toMatchObject({ status, code: 'bad-request' });
  expect((await fetch(`http://127.0.0.1:${port}/`)).status).toBe(200);
});

test('an error does not add a second response to an unfinished one', async () => {
  const { open } = await serve((_request, response) => {
    response.writeHead(200, { 'content-length': 10 });
    response.write('half');
  });
  const socket = open();
  socket.write(POST);
  const [first] = await once(socket, 'data');
  socket.write('zz\r\n');
  const rest = await text(socket);
  expect(`${first}${rest}`).toMatch(/half$/);
});

test('a client that disconnects is not an error', async () => {
  const { port, open } = await serve();
  const socket = open();
  socket.write('GET / HT', () => socket.resetAndDestroy());
  await once(socket, 'close');
  expect((await fetch(`http://127.0.0.1:${port}/`)).status).toBe(200);
});
