import { JOB_NAME, QUEUE_NAME, redisKeys } from '@syncline/contract';
import { SECURITY_HEADERS } from '@syncline/runtime';
import { testRedis } from '@syncline/test/support';
import { Queue } from 'bullmq';
import { expect, onTestFinished, test, vi } from 'vitest';
import { createQueueBoard } from './bull-board.ts';
import type { ApiDependencies } from './dependencies.ts';
import { OPERATOR, READER, testAccess } from './testing/access.ts';
import { MemoryWorld, serveApi } from './testing/memory-api.ts';
import { rawRequest } from './testing/request.ts';

const SCHEDULERS = '/queues/api/job-schedulers';
const PAUSE = `/queues/api/queues/${QUEUE_NAME}/pause`;

async function serveBoard(options: Partial<ApiDependencies> & { schedulerCount?: number } = {}) {
  const { prefix, client } = testRedis();
  const queue = new Queue(QUEUE_NAME, {
    connection: client,
    prefix: redisKeys(prefix).queuePrefix,
    skipVersionCheck: true,
  });
  await queue.upsertJobScheduler('official', { every: 3_600_000, offset: 5 }, { name: JOB_NAME });
  const { schedulerCount, ...overrides } = options;
  const api = await serveApi(
    new MemoryWorld().dependencies({
      queueBoard: createQueueBoard({
        queue,
        basePath: '/queues',
        countSchedulers: async () => schedulerCount ?? queue.getJobSchedulersCount(),
      }),
      ...overrides,
    }),
  );
  onTestFinished(async () => {
    await api[Symbol.asyncDispose]();
    await queue.close();
  });
  return { queue, ...api };
}

async function isReadOnly(url: string, headers: Record<string, string> = {}): Promise<boolean> {
  const response = await fetch(`${url}/queues/api/queues`, { headers });
  // As Bull Board's own page reads it.
  const { queues } = (await response.json()) as { queues: { readOnlyMode: boolean }[] };
  return queues.every(({ readOnlyMode }) => readOnlyMode);
}

test('Bull Board serves its page and assets, with a policy that permits no other origin', async () => {
  const { url } = await serveBoard();
  for (const path of ['/queues', '/queues/', `/queues/queue/${QUEUE_NAME}`]) {
    const page = await fetch(`${url}${path}`);
    expect(page.status).toBe(200);
    expect(page.headers.get('content-security-policy')).toContain("default-src 'self'");
    expect(page.headers.has('x-powered-by')).toBe(false);
    const html = await page.text();
    expect(html).toContain('<base href="/queues/"');
    const [script] = /static\/js\/main[^"]+/.exec(html) ?? [];
    expect((await fetch(`${url}/queues/${script}`)).status).toBe(200);
  }
});

test('Bull Board permits actions to a caller with the role operate', async () => {
  const { url, queue } = await serveBoard();
  expect(await isReadOnly(url, OPERATOR)).toBe(false);
  const paused = await fetch(`${url}${PAUSE}`, { method: 'PUT', headers: OPERATOR });
  expect(paused.status).toBe(200);
  expect(await queue.isPaused()).toBe(true);
});

test('a page of another origin cannot use Bull Board actions', async () => {
  const { port, queue } = await serveBoard();
  const { status, text } = await rawRequest(port, {
    method: 'PUT',
    path: PAUSE,
    headers: { origin: 'https://evil.example' },
  });
  expect(status).toBe(403);
  expect(JSON.parse(text).code).toBe('cross-origin-refused');
  expect(await queue.isPaused()).toBe(false);
});

test.each([
  ['a program on this machine', {}, 401, 'unauthorized'],
  ['a caller with the role read', READER, 403, 'forbidden'],
] as const)('Bull Board is read-only for %s', async (_who, headers, status, code) => {
  const { url, queue } = await serveBoard();
  expect(await isReadOnly(url, headers)).toBe(true);
  for (const [method, path] of [
    ['PUT', PAUSE],
    ['PUT', '/queues/api/queues/pause'],
    ['POST', `/queues/api/queues/${QUEUE_NAME}/add`],
    ['PUT', `/queues/api/queues/${QUEUE_NAME}/job-schedulers/official/remove`],
  ]) {
    const response = await fetch(`${url}${path}`, { method: method ?? '', headers });
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({ code });
    expect(Object.fromEntries(response.headers)).toMatchObject(SECURITY_HEADERS);
  }
  expect(await queue.isPaused()).toBe(false);
  expect(await queue.getJobSchedulersCount()).toBe(1);
});

test('Bull Board is closed to other machines without a token', async () => {
  const { url } = await serveBoard({ access: testAccess({ host: '0.0.0.0' }) });
  expect((await fetch(`${url}/queues/api/queues`)).status).toBe(401);
  expect((await fetch(`${url}/queues/`)).status).toBe(401);
  const accept = 'text/html,application/xhtml+xml,*/*;q=0.8';
  const page = await fetch(`${url}/queues/`, { headers: { accept }, redirect: 'manual' });
  expect(page.status).toBe(303);
  expect(page.headers.get('location')).toBe('/sign-in?next=%2Fqueues%2F');
});

test.each([undefined, 'development', 'production'])(
  'Bull Board shows no details of an error, with NODE_ENV %s',
  async (environment) => {
    vi.stubEnv('NODE_ENV', environment);
    onTestFinished(() => void vi.unstubAllEnvs());
    const { url, queue } = await serveBoard();
    const unreadable = await fetch(`${url}/queues/api/queues/${QUEUE_NAME}/add`, {
      method: 'POST',
      headers: { ...OPERATOR, 'content-type': 'application/json' },
      body: '{"x":',
    });
    const trouble = new Error('secret detail');
    vi.spyOn(queue, 'getJobCounts').mockRejectedValue(trouble);
    vi.spyOn(queue, 'pause').mockRejectedValue(trouble);
    const failed = await fetch(`${url}${PAUSE}`, { method: 'PUT', headers: OPERATOR });
    for (const [answer, status, code] of [
      [unreadable, 400, 'bad-request'],
      [failed, 500, 'internal'],
    ] as const) {
      expect(answer.status).toBe(status);
      const text = await answer.text();
      expect(JSON.parse(text)).toMatchObject({ status, code });
      expect(text).not.toMatch(/secret|node_modules|\bat /);
      expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
    }
  },
);

test('Bull Board does not load thousands of schedulers at once', async () => {
  const few = await serveBoard();
  const shown = await fetch(`${few.url}${SCHEDULERS}`);
  expect(await shown.json()).toMatchObject({ schedulers: [{ id: 'official' }] });

  const many = await serveBoard({ schedulerCount: 501 });
  const refused = await fetch(`${many.url}${SCHEDULERS}`);
  expect(refused.status).toBe(413);
  expect(await refused.json()).toMatchObject({ schedulers: [], message: expect.any(String) });
});

test('Bull Board does not load more jobs at once than its page shows', async () => {
  const { url } = await serveBoard();
  const statusFor = async (query: string) =>
    (await fetch(`${url}/queues/api/queues?${query}`)).status;
  expect(await statusFor('jobsPerPage=50')).toBe(200);
  for (const count of ['1000000', '1e9', 'NaN', '10&jobsPerPage=1000000']) {
    expect(await statusFor(`jobsPerPage=${count}`), count).toBe(400);
  }
});
