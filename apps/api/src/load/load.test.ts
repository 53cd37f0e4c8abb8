import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { testRow } from '@syncline/snapshot/testing';
import { describe, expect, onTestFinished, test } from 'vitest';
import { OPERATOR } from '../testing/access.ts';
import { MemoryWorld, serveApi } from '../testing/memory-api.ts';
import { createLoadLimiter, type LoadLimiterOptions } from './limit-load.ts';

const CONFIG = { registries: [{ name: 'official', file: { path: '/registry.json' } }] };
const ONE = { slots: 1, slotsPerClient: 1, waiting: 0, longestWaitMs: 60_000 };
const LIST = '/registry/official/v0.1/servers';

async function setUp(options: Partial<LoadLimiterOptions>) {
  const world = new MemoryWorld(CONFIG);
  const { logger, access } = world.dependencies();
  const loadLimiter = createLoadLimiter({ ...access.arrivals, logger, ...options });
  const api = await serveApi(world.dependencies({ loadLimiter }));
  onTestFinished(() => api[Symbol.asyncDispose]());
  return { world, api, loadLimiter };
}

describe('while too many requests wait', () => {
  test('a request is refused with the time of the next try, and probes are answered', async () => {
    const { world, api, loadLimiter } = await setUp({ limits: { wait: ONE } });
    const headers = { ...OPERATOR, 'content-type': 'application/json' };
    const wait = { method: 'POST', headers, body: '{"wait":600}' };
    const sync = `${api.url}/v1/registries/official/sync`;
    const waiting = fetch(sync, wait);
    await expect.poll(() => world.waitingCount).toBe(1);
    const other = await fetch(sync, wait);
    expect(other.status).toBe(202);
    const preview = `${api.url}/v1/registries/official/preview`;
    const refused = await fetch(preview, { ...wait, body: '{}' });
    expect(refused.status).toBe(503);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(await refused.json()).toMatchObject({
      code: 'overloaded',
      title: 'Service Unavailable',
    });
    expect(world.state('official').control.requested).toBe(2);
    for (const probe of ['/health', '/readiness', '/version', '/v1/registries']) {
      expect((await fetch(`${api.url}${probe}`)).status).toBe(200);
    }
    expect(loadLimiter.usage().classes.wait).toEqual({ active: 1, waiting: 0, refused: 2 });
    expect(world.logged.filter(({ level }) => level === 'warn')).toMatchObject([
      { message: 'overloaded, refusing requests', fields: { class: 'wait' } },
    ]);
    world.finishRun('official');
    expect((await waiting).status).toBe(200);
    await expect.poll(() => loadLimiter.usage().classes.wait.active).toBe(0);
  });

  test.each([
    ['page', LIST],
    ['page', `${LIST}?version=latest&limit=100&cursor=eyJuIjoiYSIsInYiOiIxIn0`],
    ['page', `${LIST}/a%2Fb/versions`],
    ['scan', `${LIST}?search=x`],
    ['scan', `${LIST}?updated_since=2026-01-01T00:00:00Z`],
    ['scan', `${LIST}?cursor=eyJuIjoiYSIsInYiOiIxIiwic2VhcmNoIjoieCJ9`],
    ['scan', '/v1/catalogs/official/conflicts'],
    ['state', '/v1/registries'],
    ['state', '/metrics'],
  ] as const)('a %s is refused: %s', async (loadClass, path) => {
    const { world, api } = await setUp({ limits: { [loadClass]: { ...ONE, slots: 0 } } });
    world.state('official').rows = [];
    expect((await fetch(`${api.url}${path}`)).status).toBe(503);
    const others = [LIST, `${LIST}?search=x`, '/v1/registries'];
    const statuses = await Promise.all(
      others.map(async (it) => (await fetch(api.url + it)).status),
    );
    expect(statuses.toSorted()).toEqual([200, 200, 503]);
  });
});

describe('a slow reader', () => {
  /** Asks for a page of 1 MiB, and does not read it. */
  async function askWithoutReading(port: number, localAddress: string): Promise<Socket> {
    const socket = connect({ port, host: '127.0.0.1', localAddress }).on('error', () => {});
    onTestFinished(() => void socket.destroy());
    await once(socket, 'connect');
    socket.pause();
    // Far more than the buffers of the system hold.
    for (let request = 0; request < 12; request += 1) {
      socket.write(`GET ${LIST}?limit=100 HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    }
    return socket;
  }
  const rows = Array.from({ length: 100 }, (_, index) =>
    testRow(`a/a@1.${index}.0`, { server: { text: 'x'.repeat(100_000) } }),
  );
  const LIMITS = { maxBytes: 64 * 1024 * 1024, graceMs: 3_600_000, leastBytesPerSecond: 1 };

  test('frees its slot, and is disconnected after a time', async () => {
    const unsentLimits = { ...LIMITS, graceMs: 200, leastBytesPerSecond: 1024 ** 3 };
    const { world, api, loadLimiter } = await setUp({ unsentLimits, limits: { page: ONE } });
    world.state('official').rows = rows;
    await askWithoutReading(api.port, '127.0.0.1');
    await expect.poll(() => loadLimiter.usage().unsent.cut).toBe(1);
    await expect.poll(() => loadLimiter.usage().classes.page.active).toBe(0);
    expect(loadLimiter.usage().unsent.bytes).toBe(0);
    expect((await fetch(`${api.url}${LIST}`)).status).toBe(200);
  });

  test('is disconnected if the answers take too much memory, those of the largest client first', async () => {
    const unsentLimits = { ...LIMITS, maxBytes: 2.5 * 1024 * 1024 };
    const { world, api, loadLimiter } = await setUp({ unsentLimits });
    world.state('official').rows = rows;
    const first = await askWithoutReading(api.port, '127.0.0.2');
    await expect.poll(() => loadLimiter.usage().unsent.bytes).toBeGreaterThan(0);
    while (loadLimiter.usage().unsent.cut < 3) {
      await askWithoutReading(api.port, '127.0.0.1');
      await expect
        .poll(() => loadLimiter.usage().classes.page)
        .toMatchObject({ active: 0, waiting: 0 });
      expect(loadLimiter.usage().unsent.bytes).toBeLessThanOrEqual(unsentLimits.maxBytes);
    }
    expect(first.destroyed || first.readableEnded).toBe(false);
  });
});
