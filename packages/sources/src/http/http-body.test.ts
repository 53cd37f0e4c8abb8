import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Socket } from 'node:net';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { describe, expect, onTestFinished, test } from 'vitest';
import { testHttpClient, testHttpRequest } from '../testing/http-request.ts';
import { startLocalServer } from '../testing/local-server.ts';
import type { HttpRequest } from './http.ts';

type Respond = (response: ServerResponse, request: IncomingMessage) => void;

async function ask(respond: Respond, options: Partial<HttpRequest> = {}): Promise<string> {
  const server = await startLocalServer((request, response) => respond(response, request));
  const body = await testHttpClient().get(testHttpRequest(server.url, options));
  return Buffer.from(body).toString();
}

/** A server that writes what it is told to, be it HTTP or not. */
async function serveRaw(answer: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('data', () => answer(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('expected a TCP address');
  return `http://127.0.0.1:${address.port}`;
}

const encoded =
  (encoding: string, body: Uint8Array): Respond =>
  (response) =>
    void response.setHeader('content-encoding', encoding).end(body);

describe('bodies', () => {
  test.each([
    ['gzip', gzipSync('hello')],
    ['GZIP', gzipSync('hello')],
    ['x-gzip', gzipSync('hello')],
    ['gzip', Buffer.concat([gzipSync('hel'), gzipSync('lo')])],
    ['identity', Buffer.from('hello')],
  ])('encoded as %s are read', async (encoding, body) => {
    expect(await ask(encoded(encoding, body))).toBe('hello');
  });

  test.each([
    ['br', brotliCompressSync('hello')],
    ['deflate', deflateSync('hello')],
    ['gzip, gzip', gzipSync(gzipSync('hello'))],
    ['gzip, br', brotliCompressSync(gzipSync('hello'))],
    ['sdch', Buffer.from('hello')],
  ])('encoded as %s, which we did not ask for, are refused', async (encoding, body) => {
    await expect(ask(encoded(encoding, body))).rejects.toMatchObject({
      code: 'source-not-json',
      message: expect.stringContaining(`encoded as "${encoding}"`),
    });
  });

  test('twice packed under one name, they stay packed once', async () => {
    expect(await ask(encoded('gzip', gzipSync(gzipSync('hello'))))).not.toBe('hello');
  });

  test('gzip that is cut off broke on its way', async () => {
    const cut = gzipSync('hello'.repeat(1_000)).subarray(0, 30);
    await expect(ask(encoded('gzip', cut))).rejects.toMatchObject({
      code: 'source-unreachable',
      message: expect.stringContaining('was cut off'),
    });
  });

  test('invalid gzip is rejected', async () => {
    await expect(ask(encoded('gzip', Buffer.from('<html>')))).rejects.toMatchObject({
      code: 'source-not-json',
      message: expect.stringContaining('is not gzip'),
    });
  });

  test('that unpack to far more than their size are refused, also within the limit', async () => {
    const bomb = gzipSync(Buffer.alloc(40_000_000));
    const upstream = { requests: 0, bytes: 0 };
    await expect(
      ask(encoded('gzip', bomb), { maxBytes: 100_000_000, upstream }),
    ).rejects.toMatchObject({
      code: 'source-too-large',
      message: expect.stringContaining('times its size'),
    });
    expect(upstream.bytes).toBeLessThan(20_000_000);
  });

  test('that unpack well are read, however large', async () => {
    const text = JSON.stringify(Array.from({ length: 400_000 }, (_, index) => `${index}/server`));
    expect(await ask(encoded('gzip', gzipSync(text)), { maxBytes: 10_000_000 })).toBe(text);
  });

  test('that unpack to nothing, without end, are cut off', async () => {
    const nothing = gzipSync('');
    const respond: Respond = (response) => {
      response.setHeader('content-encoding', 'gzip');
      const pour = () => {
        while (!response.destroyed && response.write(nothing));
      };
      response.on('drain', pour);
      pour();
    };
    await expect(ask(respond, { maxBytes: 100_000 })).rejects.toMatchObject({
      code: 'source-too-large',
    });
  });

  test('that are announced as too large are not read at all', async () => {
    const upstream = { requests: 0, bytes: 0 };
    const respond: Respond = (response) => {
      response.writeHead(200, { 'content-length': 2_000 });
      response.write('x');
    };
    await expect(ask(respond, { maxBytes: 1_000, upstream })).rejects.toMatchObject({
      code: 'source-too-large',
    });
    expect(upstream.bytes).toBe(0);
  });

  test('shorter than announced broke on their way', async () => {
    const respond: Respond = (response) => {
      response.writeHead(200, { 'content-length': 1_000 });
      response.write('half', () => response.destroy());
    };
    await expect(ask(respond)).rejects.toMatchObject({ code: 'source-unreachable' });
  });

  test('longer than announced end at the announced length, and do not answer the next request', async () => {
    let answered = 0;
    const url = await serveRaw((socket) => {
      answered += 1;
      socket.write(
        answered === 1
          ? 'HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil'
          : 'HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ngood',
      );
    });
    const http = testHttpClient();
    const texts: string[] = [];
    for (let count = 0; count < 2; count += 1) {
      texts.push(Buffer.from(await http.get(testHttpRequest(url))).toString());
    }
    expect(texts).toEqual(['hello', 'good']);
  });

  test.each([
    ['one header', `x: ${'x'.repeat(100_000)}\r\n`],
    ['many headers', 'x: y\r\n'.repeat(20_000)],
  ])('with %s beyond any measure are refused', async (_what, headers) => {
    const url = await serveRaw((socket) => socket.write(`HTTP/1.1 200 OK\r\n${headers}\r\nhello`));
    await expect(testHttpClient().get(testHttpRequest(url))).rejects.toMatchObject({
      code: 'source-too-large',
      message: expect.stringContaining('too many headers'),
    });
  });

  test('an answer that is not HTTP is rejected', async () => {
    const url = await serveRaw((socket) => socket.end('SSH-2.0-OpenSSH_9.9\r\n'));
    await expect(testHttpClient().get(testHttpRequest(url))).rejects.toMatchObject({
      code: 'source-unreachable',
    });
  });

  test('a connection that is reset in the middle of a body broke on its way', async () => {
    const url = await serveRaw((socket) => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf', () =>
        socket.resetAndDestroy(),
      );
    });
    await expect(testHttpClient().get(testHttpRequest(url))).rejects.toMatchObject({
      code: 'source-unreachable',
    });
  });

  test('that drip are ended by the time, packed or not', async () => {
    const drip: Respond = (response) => {
      response.setHeader('content-encoding', 'gzip');
      const packed = gzipSync('x'.repeat(10_000), { level: 0 });
      let sent = 0;
      const timer = setInterval(() => {
        response.write(packed.subarray(sent, sent + 1));
        sent += 1;
      }, 5);
      response.on('close', () => clearInterval(timer));
    };
    await expect(ask(drip, { timeoutMs: 200 })).rejects.toMatchObject({ code: 'source-timeout' });
  });

  test('headers that drip are ended by the time too', async () => {
    const url = await serveRaw((socket) => {
      socket.write('HTTP/1.1 200 OK\r\n');
      const timer = setInterval(() => socket.write('x: y\r\n'), 5);
      socket.on('close', () => clearInterval(timer));
    });
    await expect(
      testHttpClient().get(testHttpRequest(url, { timeoutMs: 200 })),
    ).rejects.toMatchObject({ code: 'source-timeout' });
  });
});
