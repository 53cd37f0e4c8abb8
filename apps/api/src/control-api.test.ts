import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ApiDependencies } from './dependencies.ts';
import { OPERATOR, READER, testAccess } from './testing/access.ts';
import { MemoryWorld, NOW, serveApi, testRun } from './testing/memory-api.ts';
import { rawRequest } from './testing/request.ts';

const CONFIG = {
  registries: [
    { name: 'official', api: { endpoint: 'https://registry.example.com' } },
    { name: 'frozen', file: { path: '/registry.json' }, suspended: true },
  ],
  catalogs: [{ name: 'default', registries: ['official'] }],
};

let world: MemoryWorld;
let api: Awaited<ReturnType<typeof serveApi>>;

async function serve(overrides: Partial<ApiDependencies> = {}) {
  await api?.[Symbol.asyncDispose]();
  api = await serveApi(world.dependencies(overrides));
}

beforeEach(async () => {
  world = new MemoryWorld(CONFIG);
  await serve();
});
afterEach(() => api[Symbol.asyncDispose]());

async function call(
  method: 'GET' | 'POST',
  path: string,
  body?: unknown,
  headers: Record<string, string> = OPERATOR,
) {
  const response = await fetch(`${api.url}${path}`, {
    method,
    headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, headers: response.headers, body: await response.json() };
}

/** Resolves when a request is waiting for a run. */
async function someoneWaits() {
  while (world.waitingCount === 0) await new Promise(setImmediate);
}

describe('registries', () => {
  test('are listed in the order of the config, without credentials', async () => {
    world.setStatus('official', { lastSuccessAt: NOW, phase: 'Complete', snapshot: 'abc' });
    const { status, body } = await call('GET', '/v1/registries');
    expect(status).toBe(200);
    expect(body).toMatchObject({
      registries: [
        { name: 'official', snapshot: 'abc', stale: false, status: { phase: 'Complete' } },
        { name: 'frozen', snapshot: null, stale: true, control: { suspendedBy: 'config' } },
      ],
    });
  });

  test('are stale after staleAfter without a successful check', async () => {
    const [official, frozen] = CONFIG.registries;
    world = new MemoryWorld({
      registries: [
        { ...official, name: 'patient', staleAfter: '2h' },
        { ...official, name: 'eager', staleAfter: '59m' },
        { ...frozen, name: 'daily', schedule: { pattern: '0 6 * * *', timezone: 'Europe/Berlin' } },
      ],
    });
    const lastSuccessAt = new Date(Date.parse(NOW) - 3_600_000).toISOString();
    for (const name of ['patient', 'eager', 'daily']) world.setStatus(name, { lastSuccessAt });
    await serve();
    expect((await call('GET', '/v1/registries')).body).toMatchObject({
      registries: [
        { name: 'patient', stale: false },
        { name: 'eager', stale: true },
        {
          name: 'daily',
          stale: false,
          schedule: { pattern: '0 6 * * *', timezone: 'Europe/Berlin' },
        },
      ],
    });
  });

  test('are shown individually', async () => {
    expect(await call('GET', '/v1/registries/official')).toMatchObject({
      status: 200,
      body: {
        name: 'official',
        source: { kind: 'api', location: 'https://registry.example.com' },
        schedule: { interval: '1h' },
        held: null,
      },
    });
    expect(await call('GET', '/v1/registries/nobody')).toMatchObject({
      status: 404,
      body: {
        code: 'unknown-registry',
        title: 'Not Found',
        error: expect.stringMatching(/^the config has no registry nobody. Use one of official, /),
      },
    });
  });

  test('are looked up in a newer config before a name is reported as unknown', async () => {
    world.nextConfig = new MemoryWorld({
      registries: [{ name: 'brand-new', file: { path: '/x.json' } }],
    }).config;
    expect((await call('GET', '/v1/registries/brand-new')).status).toBe(200);
    expect((await call('GET', '/v1/registries/official')).status).toBe(404);
  });

  test('are unavailable before the first config', async () => {
    world = new MemoryWorld();
    await serve();
    for (const path of ['/v1/registries', '/v1/registries/official', '/registry/x/v0.1/servers']) {
      expect(await call('GET', path)).toMatchObject({
        status: 503,
        body: { code: 'config-unreadable' },
      });
    }
  });

  test('become catalogs of their own, listed after those of the config', async () => {
    expect((await call('GET', '/v1/catalogs')).body).toMatchObject({
      catalogs: [
        { name: 'default', registries: ['official'], path: '/registry/default' },
        { name: 'official', registries: ['official'], path: '/registry/official' },
        { name: 'frozen', registries: ['frozen'], path: '/registry/frozen' },
      ],
    });
  });
});

describe('a sync request', () => {
  const SYNC = '/v1/registries/official/sync';

  test('is counted, and returns its number', async () => {
    const first = await call('POST', SYNC);
    expect(first).toMatchObject({ status: 202, body: { request: 1, state: 'queued' } });
    const location = first.headers.get('location') ?? '';
    expect(location).toBe('/v1/registries/official/requests/1');
    expect((await call('POST', SYNC, { force: true })).body).toEqual({
      request: 2,
      state: 'joined',
    });
    expect(world.state('official').control.force).toBe(true);

    expect((await call('GET', location)).body).toMatchObject({ state: 'open', run: null });
    const run = world.finishRun('official');
    expect((await call('GET', location)).body).toEqual({
      registry: 'official',
      request: 1,
      state: 'answered',
      run,
    });
  });

  test('with wait returns the run, whatever its outcome', async () => {
    const asked = call('POST', SYNC, { wait: 30 });
    await someoneWaits();
    const run = world.finishRun('official', { outcome: 'failed' });
    expect(await asked).toMatchObject({ status: 200, body: run });
  });

  test('with wait returns 202 if the time is up first', async () => {
    expect(await call('POST', SYNC, { wait: 0.01 })).toMatchObject({
      status: 202,
      body: { request: 1, state: 'queued' },
    });
  });

  test('with wait returns at once when the api stops', async () => {
    const asked = call('POST', SYNC, { wait: 600 });
    await someoneWaits();
    world.stop.abort();
    expect((await asked).status).toBe(202);
  });

  test('for a registry suspended by an operator or the config is rejected', async () => {
    expect(await call('POST', '/v1/registries/frozen/sync')).toMatchObject({
      status: 409,
      body: { code: 'registry-suspended', title: 'Conflict' },
    });
    await call('POST', '/v1/registries/official/suspend');
    expect((await call('POST', SYNC)).status).toBe(409);
    expect(world.state('official').control.requested).toBe(0);
  });

  test.each([
    ['wait', { wait: -1 }],
    ['wait', { wait: 601 }],
    ['wait', { wait: '10' }],
    ['force', { force: 'yes' }],
    ['forse', { forse: true }],
    ['object', []],
  ])('with an invalid body is rejected, and the error names %s', async (field, body) => {
    const { status, body: error } = await call('POST', SYNC, body);
    expect(status).toBe(400);
    expect(error).toMatchObject({ code: 'bad-request', detail: expect.stringContaining(field) });
    expect(world.state('official').control.requested).toBe(0);
  });

  test('for all registries skips those that are paused', async () => {
    world.nextConfig = new MemoryWorld({
      registries: [...CONFIG.registries, { name: 'pinned', file: { path: '/x.json' } }],
    }).config;
    await call('GET', '/v1/registries/pinned');
    world.state('pinned').control.pinned = 'abc';
    expect(await call('POST', '/v1/sync')).toMatchObject({
      status: 202,
      body: {
        requests: [{ registry: 'official', request: 1, state: 'queued' }],
        suspended: ['frozen', 'pinned'],
      },
    });
  });

  test.each(['0', '1', '99', '-1', 'x', '1e3'])(
    'does not exist with the number %s',
    async (number) => {
      expect(await call('GET', `/v1/registries/official/requests/${number}`)).toMatchObject({
        status: 404,
        body: { code: 'unknown-request' },
      });
    },
  );
});

describe('runs', () => {
  test('are listed newest first, page by page', async () => {
    for (let count = 0; count < 5; count += 1) world.finishRun('official');
    const terms: string[] = [];
    let path = '/v1/registries/official/runs?limit=2';
    for (;;) {
      const { body } = await call('GET', path);
      const page = body as { runs: { term: string }[]; nextCursor?: string };
      terms.push(page.runs.map(({ term }) => term).join());
      if (page.nextCursor === undefined) break;
      path = `/v1/registries/official/runs?limit=2&cursor=${page.nextCursor}`;
    }
    expect(terms).toEqual(['5,4', '3,2', '1']);
  });

  test('are found by id, with the colon encoded or not', async () => {
    world.state('official').runs.push(testRun('official', '1764000000000000'));
    for (const id of ['official:1764000000000000', 'official%3A1764000000000000']) {
      expect(await call('GET', `/v1/runs/${id}`)).toMatchObject({
        status: 200,
        body: { id: 'official:1764000000000000' },
      });
    }
    for (const id of ['official:1', 'official', 'official:x', ':1', 'nobody:1']) {
      expect(await call('GET', `/v1/runs/${id}`)).toMatchObject({
        status: 404,
        body: { code: 'unknown-run' },
      });
    }
  });

  test('are not listed with an invalid cursor or limit, and the error names it', async () => {
    for (const field of ['cursor', 'limit']) {
      expect(await call('GET', `/v1/registries/official/runs?${field}=x`)).toMatchObject({
        status: 400,
        body: { detail: expect.stringContaining(field) },
      });
    }
  });
});

describe('an operator', () => {
  test('can suspend a registry with a note and an author, and resume it', async () => {
    const said = { note: 'moving', author: 'ada' };
    const suspended = await call('POST', '/v1/registries/official/suspend', said);
    expect(suspended).toMatchObject({
      status: 200,
      body: {
        control: { suspended: true, suspendedBy: 'control', ...said, suspendedAt: NOW },
      },
    });
    expect(await call('POST', '/v1/registries/official/resume')).toMatchObject({
      status: 200,
      body: {
        control: {
          suspended: false,
          suspendedBy: null,
          note: null,
          author: null,
          suspendedAt: null,
        },
      },
    });
  });

  test.each([{ note: 'x'.repeat(501) }, { author: 'x'.repeat(101) }, { autor: 'ada' }])(
    'cannot suspend a registry with an invalid body: %j',
    async (body) => {
      expect(await call('POST', '/v1/registries/official/suspend', body)).toMatchObject({
        status: 400,
      });
      expect(world.state('official').control.suspended).toBe(false);
    },
  );

  test('who resumes a registry learns that the config suspends it too', async () => {
    await call('POST', '/v1/registries/frozen/suspend', { note: 'twice' });
    expect(await call('POST', '/v1/registries/frozen/resume')).toMatchObject({
      status: 409,
      body: { code: 'suspended-by-config' },
    });
    expect(world.state('frozen').control).toMatchObject({ suspended: false });
  });

  test.each(['rollback', 'approve'])(
    'can name the snapshot to serve with %s',
    async (operation) => {
      world.snapshotsKept.add('abc');
      const path = `/v1/registries/official/${operation}`;
      expect(await call('POST', path, { snapshot: 'abc' })).toMatchObject({
        status: 200,
        body: { snapshot: 'abc' },
      });
      expect(await call('POST', path, { snapshot: 'nope' })).toMatchObject({
        status: 404,
        body: { code: 'unknown-snapshot' },
      });
      expect(await call('POST', path)).toMatchObject({
        status: 400,
        body: { code: 'bad-request' },
      });
    },
  );
});

describe('control is permitted', () => {
  const ALL_POSTS = [
    '/v1/sync',
    ...['sync', 'suspend', 'resume', 'rollback', 'approve'].map(
      (operation) => `/v1/registries/official/${operation}`,
    ),
  ];

  test('only with a token with the role operate', async () => {
    for (const path of ALL_POSTS) {
      const { status, headers, body } = await call('POST', path, undefined, {});
      expect(status).toBe(401);
      expect(body).toMatchObject({ code: 'unauthorized' });
      expect(headers.get('www-authenticate')).toBe('Bearer');
      expect(await call('POST', path, undefined, READER)).toMatchObject({
        status: 403,
        body: { code: 'forbidden' },
      });
    }
    expect(world.state('official').control.requested).toBe(0);
    expect((await call('POST', '/v1/sync', {})).status).toBe(202);
  });

  test.each(['127.0.0.1', '0.0.0.0'])(
    'to no caller of %s without such a token in the config',
    async (host) => {
      await serve({ access: testAccess({ host, tokens: [] }) });
      for (const path of ALL_POSTS) {
        expect(await call('POST', path, undefined, {})).toMatchObject({
          status: 403,
          body: { code: 'control-disabled' },
        });
      }
    },
  );

  test('to no web page of another origin', async () => {
    for (const path of ALL_POSTS) {
      const headers = { host: `127.0.0.1:${api.port}`, origin: 'https://evil.example' };
      const { status, text } = await rawRequest(api.port, { method: 'POST', path, headers });
      expect(status).toBe(403);
      expect(JSON.parse(text).code).toBe('cross-origin-refused');
    }
    expect(world.state('official').control.requested).toBe(0);
  });
});
