import { SynclineError } from '@syncline/contract';
import { testPreview } from '@syncline/sync/testing';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { ApiDependencies } from './dependencies.ts';
import { OPERATOR, testAccess } from './testing/access.ts';
import { MemoryWorld, serveApi } from './testing/memory-api.ts';

const ENDPOINT = 'https://registry.example.com/base';
const CONFIG = {
  registries: [
    {
      name: 'official',
      api: {
        endpoint: ENDPOINT,
        auth: { tokenFile: '/secrets/token' },
        headers: { 'X-Api-Key': { file: '/secrets/key' } },
      },
    },
    { name: 'local', file: { path: '/registries/local.json' } },
    { name: 'clone', git: { repository: '/registries/clone.git' } },
  ],
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

async function preview(name: string, body: object = {}, caller: Record<string, string> = OPERATOR) {
  const response = await fetch(`${api.url}/v1/registries/${name}/preview`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...caller },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

test('a worker previews a registry of the config', async () => {
  expect(await preview('official')).toEqual({ status: 200, body: testPreview('official') });
  expect(await preview('official', { wait: 5, samples: 3 })).toMatchObject({ status: 200 });
  expect(world.previewsAsked).toEqual([
    { target: { registry: 'official', samples: 200 }, timeoutMs: 60_000 },
    { target: { registry: 'official', samples: 3 }, timeoutMs: 5_000 },
  ]);
});

test('a config in the body of the request is sent to the worker as it was written', async () => {
  const config = { file: { path: '/registries/local.json' }, syncPolicy: { interval: '5m' } };
  expect(await preview('new', { config })).toMatchObject({ status: 200 });
  expect(await preview('new', { config: { ...config, name: 'new' } })).toMatchObject({
    status: 200,
  });
  const sent = { ...config, name: 'new' };
  expect(world.previewsAsked.map(({ target }) => target)).toEqual([
    { config: sent, samples: 200 },
    { config: sent, samples: 200 },
  ]);
});

test('a preview of an unknown registry without a config is 404', async () => {
  expect(await preview('nobody')).toMatchObject({
    status: 404,
    body: { code: 'unknown-registry' },
  });
  expect(world.previewsAsked).toEqual([]);
});

test.each([
  [{ wait: 601 }, 'wait: use 600 seconds or less'],
  [{ wait: 0 }, 'wait: '],
  [{ samples: 201 }, 'samples: '],
  [{ samples: 0 }, 'samples: '],
  [{ publish: true }, 'publish'],
  [{ config: [] }, 'config: '],
  [
    { config: { file: { path: '/a' }, name: 'other' } },
    'config.name: use official, as in the path',
  ],
  [{ config: {} }, 'config: none of file, git, api is set. Set exactly one of '],
  [
    { config: { file: { path: '/a' }, syncPolicy: { intervall: '5m' } } },
    'config.syncPolicy.intervall: unknown key; did you mean interval?',
  ],
  [
    { config: { file: { path: '/a' }, snapshots: 0 } },
    'config.snapshots: found the number 0. Use a number of at least 1',
  ],
  [{ config: { file: { path: './a' } } }, 'config.file.path: use an absolute path'],
  [{ config: { git: { repository: '../a' } } }, 'config.git.repository: use an absolute path'],
  [
    { config: { api: { endpoint: ENDPOINT, headers: { Authorization: 'Bearer planted' } } } },
    'config.api.headers.Authorization: this header contains a credential. Put its value into a file, and use {file: …}',
  ],
])('the body %j is 400, and the error says where', async (body, problem) => {
  const answer = await preview('official', body);
  expect(answer).toMatchObject({ status: 400, body: { code: 'bad-request' } });
  expect(answer.body['detail']).toContain(problem);
  expect(JSON.stringify(answer.body)).not.toContain('planted');
  expect(world.previewsAsked).toEqual([]);
});

test('an invalid registry name is 400', async () => {
  const { status, body } = await preview('catalog.x', { config: { file: { path: '/a' } } });
  expect({ status, detail: body['detail'] }).toMatchObject({
    status: 400,
    detail: expect.stringContaining('config.name: found "catalog.x". Use 1 to 63 characters'),
  });
});

test('credentials are accepted only for the target that has them in the config in force', async () => {
  const [official] = CONFIG.registries;
  const { api: source } = official ?? {};
  const filter = { names: { include: ['a*'] } };
  expect(await preview('official', { config: { api: source, filter } })).toMatchObject({
    status: 200,
  });
  const elsewhere = { ...source, endpoint: 'https://evil.example.com' };
  const otherFile = { ...source, auth: { tokenFile: '/etc/shadow' } };
  const otherHeader = { endpoint: ENDPOINT, headers: { 'X-Other': { file: '/secrets/key' } } };
  const git = { repository: 'ssh://git.example.com/a', auth: { sshKeyFile: '/secrets/key' } };
  const url = { url: 'https://registry.example.com/a', auth: { tokenFile: '/secrets/token' } };
  for (const [config, field] of [
    [{ api: elsewhere }, 'config.api.auth.tokenFile: '],
    [{ api: elsewhere }, 'config.api.headers.X-Api-Key: '],
    [{ api: otherFile }, 'config.api.auth.tokenFile: '],
    [{ api: otherHeader }, 'config.api.headers.X-Other: '],
    [{ git }, 'config.git.auth.sshKeyFile: '],
    [{ file: url }, 'config.file.auth.tokenFile: '],
  ] as const) {
    const answer = await preview('official', { config });
    expect(answer).toMatchObject({ status: 400 });
    expect(answer.body['detail']).toContain(field);
  }
  expect(await preview('new', { config: { api: source } })).toMatchObject({ status: 400 });
  expect(world.previewsAsked).toHaveLength(1);
});

test.each([
  [{ file: { path: '/etc/shadow' } }, 'config.file.path: '],
  [{ file: { path: '/registries/../etc/shadow' } }, 'config.file.path: '],
  [{ file: { path: '/registries' } }, 'config.file.path: '],
  [{ git: { repository: '/srv/private.git' } }, 'config.git.repository: '],
  [{ git: { repository: 'file:///srv/private.git' } }, 'config.git.repository: '],
])('a preview of the new local path %j is refused before a worker looks', async (config, field) => {
  const answer = await preview('local', { config });
  expect(answer).toMatchObject({ status: 400 });
  expect(answer.body['detail']).toContain(
    `${field}use a path that a registry in the config in force`,
  );
  expect(world.previewsAsked).toEqual([]);
});

test('a local path of the config in force can be previewed under any name', async () => {
  for (const config of [
    { file: { path: '/registries/local.json' } },
    { git: { repository: '/registries/clone.git', path: 'servers' } },
  ]) {
    expect(await preview('new', { config })).toMatchObject({ status: 200 });
  }
});

test('a preview that fails in the worker is 502', async () => {
  world.answerPreview = async () => {
    throw new SynclineError(
      'preview-failed',
      'the preview could not read the source: source-timeout: slow',
    );
  };
  expect(await preview('official')).toMatchObject({
    status: 502,
    body: {
      code: 'preview-failed',
      detail: 'the preview could not read the source: source-timeout: slow',
    },
  });
});

test('a waiting caller gets a response when the api stops', async () => {
  world.answerPreview = (signal) =>
    new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    });
  const asked = preview('official');
  await expect.poll(() => world.previewsAsked.length).toBe(1);
  world.stop.abort();
  expect(await asked).toMatchObject({ status: 502, body: { code: 'preview-failed' } });
});

test('a preview needs control', async () => {
  expect(await preview('official', {}, {})).toMatchObject({ status: 401 });
  await serve({ access: testAccess({ tokens: [] }) });
  expect(await preview('official', {}, {})).toMatchObject({ status: 403 });
  expect(world.previewsAsked).toEqual([]);
});
