import { once } from 'node:events';
import { Agent, request, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, expect, onTestFinished, test } from 'vitest';
import { listen } from './listen.ts';

describe('closing a server', () => {
  test('lets a running request end, and accepts no new one', async () => {
    const { promise: taken, resolve: take } = Promise.withResolvers<ServerResponse>();
    const server = await listen((_request, response) => take(response), {
      host: '127.0.0.1',
      port: 0,
    });
    const url = `http://127.0.0.1:${server.port}`;
    const asked = fetch(url);
    const response = await taken;
    const closed = server.close({ graceMs: 60_000 });
    await expect(fetch(url)).rejects.toThrow();
    response.end('done');
    expect(await (await asked).text()).toBe('done');
    const endedAtMs = performance.now();
    await closed;
    // The connection is kept alive for five seconds by default.
    expect(performance.now() - endedAtMs).toBeLessThan(5_000);
  });

  test('aborts requests that do not end in time', async () => {
    const { promise: taken, resolve: take } = Promise.withResolvers<void>();
    const server = await listen(() => take(), { host: '127.0.0.1', port: 0 });
    const asked = fetch(`http://127.0.0.1:${server.port}`);
    await taken;
    await Promise.all([server.close({ graceMs: 1 }), expect(asked).rejects.toThrow()]);
  });

  test('does not wait for idle keep-alive connections', async () => {
    const server = await listen((_request, response) => response.end('ok'), {
      host: '127.0.0.1',
      port: 0,
    });
    const agent = new Agent({ keepAlive: true });
    onTestFinished(() => agent.destroy());
    const outgoing = request({ host: '127.0.0.1', port: server.port, agent }).end();
    const [response] = await once(outgoing, 'response');
    response.resume();
    await once(response, 'end');
    await server.close({ graceMs: 60_000 });
  });
});

test('input that is not HTTP is answered with an error body', async () => {
  const server = await listen((_request, response) => response.end(), {
    host: '127.0.0.1',
    port: 0,
  });
  onTestFinished(() => server.close({ graceMs: 0 }));
  const socket = connect(server.port, '127.0.0.1');
  socket.write('garbage\r\n\r\n');
  expect(await text(socket)).toMatch(/^HTTP\/1\.1 400 .*"code":"bad-request"}$/s);
});

test('a port in use is an error', async () => {
  const server = await listen(() => {}, { host: '127.0.0.1', port: 0 });
  onTestFinished(() => server.close({ graceMs: 0 }));
  await expect(listen(() => {}, { host: '127.0.0.1', port: server.port })).rejects.toMatchObject({
    code: 'EADDRINUSE',
  });
});
