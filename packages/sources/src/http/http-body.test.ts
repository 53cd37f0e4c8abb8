import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Socket } from 'node:net';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { describe, expect, onTestFinished, test } from 'vitest';
import { MemoryBudget } from '../memory/memory-budget.ts';
import { testHttpClient, testHttpRequest } from '../testing/http-request.ts';
import { startLocalServer } from '../testing/local-server.ts';
import type { HttpRequest } from './http.ts';

type Respond = (response: ServerResponse, request: IncomingMessage) => void;

async function ask(respond: Respond, options: Partial<HttpRequest> = {}): Promise<string> {
  const server = await startLocalServer((request, response) => respond(response, request));
  const { bytes } = await testHttpClient().get(testHttpRequest(server.url, options));
  return Buffer.from(bytes).toString();
}

/** A server that writes any bytes, valid HTTP or not. */
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

describe('HTTP response bodies', () => {
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
  ])('encoded as %s, which was not requested, are rejected', async (encoding, body) => {
    await expect(ask(encoded(encoding, body))).rejects.toMatchObject({
      code: 'source-not-json',
      message: expect.stringContaining(`with the encoding "${encoding}"`),
    });
  });

  test('compressed twice but declared once are decompressed once', async () => {
    expect(await ask(encoded('gzip', gzipSync(gzipSync('hello'))))).not.toBe('hello');
  });

  test('with truncated gzip count as a broken connection', async () => {
    const cut = gzipSync('hello'.repeat(1_000)).subarray(0, 30);
    await expect(ask(encoded('gzip', cut))).rejects.toMatchObject({
      code: 'source-unreachable',
      message: expect.stringContaining('closed before the response was complete'),
    });
  });

  test('with invalid gzip are rejected', async () => {
    await expect(ask(encoded('gzip', Buffer.from('<html>')))).rejects.toMatchObject({
      code: 'source-not-json',
      message: expect.stringContaining('is not valid gzip'),
    });
  });

  test('that expand to far more than their size are rejected, even within the limit', async () => {
    const bomb = gzipSync(Buffer.alloc(40_000_000));
    const upstream = { requests: 0, bytes: 0 };
    await expect(
      ask(encoded('gzip', bomb), { maxBytes: 100_000_000, upstream }),
    ).rejects.toMatchObject({
      code: 'source-too-large',
      message: expect.stringContaining('times its compressed size'),
    });
    expect(upstream.bytes).toBeLessThan(20_000_000);
  });

  test('that compress well, but not suspiciously well, are read', async () => {
    const text = JSON.stringify(Array.from({ length: 400_000 }, (_, index) => `${index}/server`));
    expect(await ask(encoded('gzip', gzipSync(text)), { maxBytes: 10_000_000 })).toBe(text);
  });

  test('of endless empty gzip members are cut off', async () => {
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

  test('with a declared length over the limit are not read', async () => {
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

  test('shorter than their declared length count as a broken connection', async () => {
    const respond: Respond = (response) => {
      response.writeHead(200, { 'content-length': 1_000 });
      response.write('half', () => response.destroy());
    };
    await expect(ask(respond)).rejects.toMatchObject({ code: 'source-unreachable' });
  });

  test('longer than their declared length end there, and the rest does not answer the next request', async () => {
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
      texts.push(Buffer.from((await http.get(testHttpRequest(url))).bytes).toString());
    }
    expect(texts).toEqual(['hello', 'good']);
  });

  test.each([
    ['a huge header', `x: ${'x'.repeat(100_000)}\r\n`],
    ['a huge number of headers', 'x: y\r\n'.repeat(20_000)],
  ])('after %s are rejected', async (_what, headers) => {
    const url = await serveRaw((socket) => socket.write(`HTTP/1.1 200 OK\r\n${headers}\r\nhello`));
    await expect(testHttpClient().get(testHttpRequest(url))).rejects.toMatchObject({
      code: 'source-too-large',
      message: expect.stringContaining('too many headers'),
    });
  });

  test('in tiny chunks with large extensions are cut off', async () => {
    const frame = `1;${'x'.repeat(60_000)}\r\n[\r\n`;
    const url = await serveRaw((socket) => {
      socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n');
      const pour = () => {
        while (!socket.destroyed && socket.write(frame));
      };
      socket.on('drain', pour);
      pour();
    });
    await expect(testHttpClient().get(testHttpRequest(url))).rejects.toMatchObject({
      code: 'source-too-large',
      message: expect.stringContaining('its chunks have too many headers'),
    });
  });

  test('in chunks of one byte are read', async () => {
    const text = 'x'.repeat(100_000);
    const chunked = '1\r\nx\r\n'.repeat(text.length);
    const url = await serveRaw((socket) =>
      socket.write(`HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${chunked}0\r\n\r\n`),
    );
    const { bytes } = await testHttpClient().get(testHttpRequest(url));
    expect(Buffer.from(bytes).toString()).toBe(text);
  });

  test('below the least rate are cut off long before the timeout', async () => {
    const drip: Respond = (response) => {
      const timer = setInterval(() => response.write('['), 500);
      response.on('close', () => clearInterval(timer));
    };
    await expect(ask(drip, { timeoutMs: 900_000 })).rejects.toMatchObject({
      code: 'source-too-slow',
      message: expect.stringContaining('The least rate is 4096 bytes a second'),
    });
  });

  test('that do not fit into the memory of a run are rejected, and release it', async () => {
    const budget = new MemoryBudget({ totalBytes: 8_000_000 });
    const memory = budget.open('large');
    const large: Respond = (response) => void response.end(Buffer.alloc(20_000_000));
    await expect(ask(large, { maxBytes: 100_000_000, memory })).rejects.toMatchObject({
      code: 'run-out-of-memory',
    });
    expect(budget.reserved.body).toBe(0);
  });

  test('that are not HTTP are rejected', async () => {
    const url = await serveRaw((socket) => socket.end('SSH-2.0-OpenSSH_9.9\r\n'));
    await expect(testHttpClient().get(testHttpRequest(url))).rejects.toMatchObject({
      code: 'source-unreachable',
    });
  });

  test('on a connection that is reset midway count as a broken connection', async () => {
    const url = await serveRaw((socket) => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf', () =>
        socket.resetAndDestroy(),
      );
    });
    await expect(testHttpClient().get(testHttpRequest(url))).rejects.toMatchObject({
      code: 'source-unreachable',
    });
  });

  test('that arrive byte by byte end at the timeout', async () => {
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

  test('with headers that arrive line by line end at the timeout', async () => {
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
