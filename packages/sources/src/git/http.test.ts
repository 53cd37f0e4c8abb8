import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SynclineError } from '@syncline/contract';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createAddressGuard } from '../network/address-guard.ts';
import {
  fetchAll,
  gitSource,
  testGit,
  testGitServer,
  testRepository,
} from '../testing/git/git-harness.ts';
import type { GitHttpServerOptions } from '../testing/git/git-http-server.ts';
import { processesOf } from '../testing/git/processes.ts';
import { startLocalServer } from '../testing/local-server.ts';
import { sourceContext } from '../testing/source-context.ts';
import type { GitOptions } from './git.ts';

const ONE = { 'registry.json': '{"servers":[1]}' };
const SECRET = 'h:nter@2/ü';
const LOGIN = { username: 'mirror', password: SECRET };

interface SetUp {
  readonly server?: Partial<GitHttpServerOptions>;
  readonly git?: Partial<GitOptions>;
  readonly config?: readonly string[];
}

/** A repository behind a server, and a git to read it. */
async function setUp({ server: serverOptions, git: gitOptions, config }: SetUp = {}) {
  const repository = await testRepository(config === undefined ? {} : { config });
  const server = await testGitServer({ root: repository.root, ...serverOptions });
  const { git, dataDir } = await testGit(gitOptions);
  const url = `${server.url}/${repository.name}`;
  return {
    repository,
    server,
    dataDir,
    url,
    source: (more: Readonly<Record<string, unknown>> = {}) =>
      gitSource(git, { repository: url, ...more }),
  };
}

async function passwordFile(text: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'syncline-password-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const path = join(directory, 'password');
  await writeFile(path, text);
  return path;
}

/** Returns the error of an attempt. */
async function errorOf(attempt: Promise<unknown>): Promise<SynclineError> {
  const error = await attempt.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof SynclineError) return error;
  throw new Error('expected an error of ours', { cause: error });
}

describe('a repository over HTTP', () => {
  test('needs one call for a probe, and a fetch transfers only the configured files', async () => {
    const { repository, server, source } = await setUp();
    const commit = await repository.commit({ ...ONE, 'other.json': 'x'.repeat(1_000) });
    const found = await fetchAll(source());
    expect(found).toMatchObject({ files: ONE, revision: commit, upstream: { requests: 2 } });
    const before = server.requests.length;
    const context = sourceContext();
    expect(await source().probe(commit, context)).toEqual({ state: 'unchanged' });
    expect(context.upstream.requests).toBe(1);
    // The first request gets the capabilities of the server, the second request gets the configured
    // ref.
    expect(server.requests.slice(before).map(({ url }) => url)).toEqual([
      `/${repository.name}/info/refs?service=git-upload-pack`,
      `/${repository.name}/git-upload-pack`,
    ]);
  });

  test('can be read at a commit id', async () => {
    const { repository, source } = await setUp();
    const commit = await repository.commit(ONE);
    await repository.commit({ 'registry.json': 'newer' });
    expect(await fetchAll(source({ commit }))).toMatchObject({ files: ONE, revision: commit });
  });

  test('can be read at a commit that no ref reaches any more', async () => {
    const { repository, source } = await setUp();
    const commit = await repository.commit(ONE);
    await repository.rewrite({ 'registry.json': 'newer' });
    expect(await fetchAll(source({ commit }))).toMatchObject({ files: ONE, revision: commit });
  });

  test('receives the configured user agent', async () => {
    const { repository, server, source } = await setUp({
      git: { userAgent: () => 'acme (ops@acme.example)' },
    });
    const commit = await repository.commit(ONE);
    await source().probe(commit, sourceContext());
    expect(server.requests[0]?.headers['user-agent']).toBe('git/2 (acme (ops@acme.example))');
  });
});

describe('an older server that', () => {
  const OLDER: NonNullable<GitHttpServerOptions['answer']> = (request) => {
    request.headers['git-protocol'] = '';
    return false;
  };

  test('cannot serve commits or files by id is fetched as a whole', async () => {
    const config = ['uploadpack.allowFilter=true'];
    const { repository, source } = await setUp({ config, server: { answer: OLDER } });
    const commit = await repository.commit(ONE);
    expect(await fetchAll(source())).toMatchObject({ files: ONE, revision: commit });
    const newer = await repository.commit({ 'registry.json': 'newer' });
    expect(await fetchAll(source())).toMatchObject({
      files: { 'registry.json': 'newer' },
      revision: newer,
    });
    expect(await fetchAll(source({ commit }))).toMatchObject({ files: ONE, revision: commit });
    const missing = errorOf(fetchAll(source({ commit: 'a'.repeat(40) })));
    expect((await missing).code).toBe('source-ref-missing');
  });

  test('cannot filter files is read with all its files', async () => {
    const config = ['uploadpack.allowFilter=false'];
    const { repository, source } = await setUp({ config, server: { answer: OLDER } });
    const commit = await repository.commit(ONE);
    expect(await fetchAll(source())).toMatchObject({ files: ONE, revision: commit });
  });

  test('has no smart protocol is rejected', async () => {
    const dumb = await startLocalServer((request, response) => {
      if (request.url?.includes('info/refs') === true) {
        response.end(`${'a'.repeat(40)}\trefs/heads/main\n`);
      } else response.writeHead(404).end();
    });
    const { git } = await testGit();
    const error = await errorOf(fetchAll(gitSource(git, { repository: `${dumb.url}/x.git` })));
    expect(error.code).toMatch(/^source-/);
  });
});

describe('an HTTP login', () => {
  test('reads its password from a file, again on each attempt', async () => {
    const { repository, source } = await setUp({ server: { login: LOGIN } });
    const commit = await repository.commit(ONE);
    const file = await passwordFile('of yesterday');
    const auth = { username: LOGIN.username, passwordFile: file };
    expect(await errorOf(fetchAll(source({ auth })))).toMatchObject({
      code: 'source-http-status',
      status: 401,
    });
    await writeFile(file, `${SECRET}\n`);
    const found = await fetchAll(source({ auth }));
    expect(found).toMatchObject({ files: ONE, revision: commit });
    expect(await source({ auth }).probe(commit, sourceContext())).toEqual({ state: 'unchanged' });
  });

  test('that the server needs and the config lacks is an error with advice', async () => {
    const { repository, source } = await setUp({ server: { login: LOGIN } });
    await repository.commit(ONE);
    expect(await errorOf(source().probe('x', sourceContext()))).toMatchObject({
      code: 'source-http-status',
      status: 401,
      message: expect.stringContaining('Check the user and the password of git.auth'),
    });
  });

  test.each([
    ['is empty', ' \n', 'the file is empty'],
    ['has two lines', 'one\ntwo', 'more than one line'],
  ])('whose password file %s fails without a request', async (_, text, message) => {
    const { server, source } = await setUp({ server: { login: LOGIN } });
    const auth = { username: 'mirror', passwordFile: await passwordFile(text) };
    expect(await errorOf(fetchAll(source({ auth })))).toMatchObject({
      code: 'source-credential-unreadable',
      message: expect.stringContaining(message),
    });
    expect(server.requests).toHaveLength(0);
  });

  test('whose password file is missing is reported', async () => {
    const { source } = await setUp();
    const auth = { username: 'mirror', passwordFile: '/nowhere/password' };
    expect(await errorOf(fetchAll(source({ auth })))).toMatchObject({
      code: 'source-credential-unreadable',
      message: expect.stringContaining('/nowhere/password: the file does not exist'),
    });
  });

  test('is visible to git and the server only', async () => {
    const seen: string[] = [];
    let look = () => '';
    const { repository, dataDir, source } = await setUp({
      server: {
        login: LOGIN,
        answer: () => {
          seen.push(look());
          return false;
        },
      },
    });
    look = () => processesOf(dataDir);
    await repository.commit(ONE);
    const auth = { username: LOGIN.username, passwordFile: await passwordFile(SECRET) };
    await fetchAll(source({ auth }));
    expect(seen.join()).toContain('remote.origin.url');
    const kept = await textsBelow(dataDir);
    expect(kept.join()).toContain('bare = true');
    for (const text of [...seen, ...kept]) expect(text).not.toContain(SECRET);
  });

  test('is not shown even if the server sends it back', async () => {
    const { source } = await setUp({
      server: {
        answer: (request, response) => {
          if (request.headers.authorization === undefined) {
            response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
          } else {
            const login = Buffer.from(request.headers.authorization.slice(6), 'base64').toString();
            response.writeHead(403, { 'content-type': 'text/plain' });
            response.end(`not you,\r${login}`);
          }
          return true;
        },
      },
    });
    const auth = { username: LOGIN.username, passwordFile: await passwordFile(SECRET) };
    const error = await errorOf(fetchAll(source({ auth })));
    expect(error).toMatchObject({ code: 'source-http-status', status: 403 });
    expect(error.message).not.toContain('not you');
    expect(error.cause).toBeUndefined();
  });
});

describe('an HTTP response that', () => {
  const answers: [what: string, answer: (response: ServerResponse) => void, error: object][] = [
    ['is 404', (to) => to.writeHead(404).end(), { code: 'source-http-status', status: 404 }],
    ['is 403', (to) => to.writeHead(403).end(), { code: 'source-http-status', status: 403 }],
    ['is 500', (to) => to.writeHead(500).end(), { code: 'source-http-status', status: 500 }],
    ['is 429', (to) => to.writeHead(429).end(), { code: 'source-rate-limited', status: 429 }],
    ['is an HTML page', (to) => to.end('<html></html>'), {}],
    ['breaks off', (to) => to.destroy(), { code: 'source-unreachable' }],
  ];
  test.each(answers)('%s fails the probe and the fetch', async (_, answer, expected) => {
    const { source } = await setUp({
      server: {
        answer: (_request, response) => {
          answer(response);
          return true;
        },
      },
    });
    const probing = errorOf(source().probe('x', sourceContext()));
    expect(await probing).toMatchObject({ code: expect.stringMatching(/^source-/), ...expected });
    expect(await errorOf(fetchAll(source()))).toMatchObject(expected);
  });

  test('gives a reason is quoted without control characters', async () => {
    const { source } = await setUp({
      server: {
        answer: (_request, response) => {
          response.writeHead(403, { 'content-type': 'text/plain' });
          response.end('for members only\u001b[2J\u0007');
          return true;
        },
      },
    });
    const { message } = await errorOf(fetchAll(source()));
    expect(message).toContain('for members only\ufffd[2J\ufffd');
    expect(message).not.toMatch(/\p{Cc}/u);
  });

  test.each([301, 302, 307, 308])('redirects with %i is rejected, not followed', async (status) => {
    const target = await startLocalServer((_, response) => response.end());
    const { source } = await setUp({
      server: {
        answer: (request, response) => {
          response.writeHead(status, { location: `${target.url}${request.url}` }).end();
          return true;
        },
      },
    });
    for (const attempt of [() => source().probe('x', sourceContext()), () => fetchAll(source())]) {
      expect(await errorOf(attempt())).toMatchObject({ code: 'source-redirect-refused' });
    }
    expect(target.paths).toEqual([]);
  });

  test('never comes ends at the timeout of the call', async () => {
    const { dataDir, source } = await setUp({ server: { answer: () => true } });
    for (const attempt of [
      () => source({ timeout: '300ms' }).probe('x', sourceContext()),
      () => fetchAll(source({ timeout: '300ms' })),
    ]) {
      expect(await errorOf(attempt())).toMatchObject({
        code: 'source-timeout',
        message: expect.stringMatching(/^git (ls-remote|fetch) took longer than 300 ms$/),
      });
    }
    expect(processesOf(dataDir)).toBe('');
  });

  test('never comes ends when the run is aborted', async () => {
    const abort = new AbortController();
    const reason = new Error('the lease is lost');
    const running: string[] = [];
    let look = () => '';
    const { dataDir, source } = await setUp({
      server: {
        answer: () => {
          running.push(look());
          abort.abort(reason);
          return true;
        },
      },
    });
    look = () => processesOf(dataDir);
    const context = sourceContext({ signal: abort.signal });
    await expect(fetchAll(source(), context)).rejects.toBe(reason);
    expect(running.join()).toContain('remote-http');
    expect(processesOf(dataDir)).toBe('');
  });
});

describe('the address of a git server', () => {
  test('on this machine is blocked unless the config allows it', async () => {
    const { server, source } = await setUp({
      git: { guard: createAddressGuard({ allow: () => [] }) },
    });
    const probe = () => source().probe('x', sourceContext());
    for (const attempt of [probe, () => fetchAll(source())]) {
      expect(await errorOf(attempt())).toMatchObject({ code: 'source-address-refused' });
    }
    expect(server.requests).toHaveLength(0);
  });

  test('that was checked is the one that git connects to', async () => {
    const repository = await testRepository();
    const commit = await repository.commit(ONE);
    const server = await testGitServer({ root: repository.root });
    const lookups: string[] = [];
    const { git } = await testGit({
      guard: createAddressGuard({
        allow: () => ['git.invalid'],
        lookup: async (host) => {
          lookups.push(host);
          return [{ address: '127.0.0.1', family: 4 }];
        },
      }),
    });
    // No resolver knows this name. If git asked a resolver, the probe would fail.
    const url = `http://git.invalid:${server.port}/${repository.name}`;
    const source = gitSource(git, { repository: url });
    expect(await source.probe(commit, sourceContext())).toEqual({ state: 'unchanged' });
    expect((await fetchAll(source)).files).toEqual(ONE);
    expect(lookups).toEqual(['git.invalid', 'git.invalid']);
    expect(server.requests[0]?.headers.host).toBe(`git.invalid:${server.port}`);
  });

  test('is not checked if it is a configured proxy, and the request goes to the proxy', async () => {
    const asked: string[] = [];
    const proxy = await startLocalServer((request, response) => {
      asked.push(`${request.method} ${request.url} ${request.headers['proxy-authorization']}`);
      const isKnown = request.headers['proxy-authorization'] !== undefined;
      response.writeHead(isKnown ? 502 : 407, { 'proxy-authenticate': 'Basic realm="x"' }).end();
    });
    const { git } = await testGit({
      guard: createAddressGuard({ allow: () => [], lookup: async () => [] }),
      proxyFor: ({ protocol }) =>
        protocol === 'http:' ? proxy.url.replace('//', '//user:hunter2@') : undefined,
    });
    const source = gitSource(git, { repository: 'http://git.invalid/x.git' });
    const error = await errorOf(fetchAll(source));
    expect(error).toMatchObject({ code: 'source-http-status', status: 502 });
    expect(error.message).not.toContain('hunter2');
    const basic = Buffer.from('user:hunter2').toString('base64');
    expect(asked.at(-1)).toEqual(
      `GET http://git.invalid/x.git/info/refs?service=git-upload-pack Basic ${basic}`,
    );
    const inside = gitSource(git, { repository: 'http://10.0.0.1/x.git' });
    expect((await errorOf(fetchAll(inside))).code).toBe('source-address-refused');
  });
});

async function textsBelow(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  return Promise.all(
    files.map(({ parentPath, name }) => readFile(join(parentPath, name), 'latin1')),
  );
}

test('each git call takes a place in the budget of its host, and returns it', async () => {
  const places: string[] = [];
  const budgets: NonNullable<GitOptions['budgets']> = {
    take: async (host, { holdMs }) => {
      places.push(`${host} for ${holdMs}`);
      return { [Symbol.dispose]: () => void places.push('released') };
    },
  };
  const { repository, source } = await setUp({ git: { budgets } });
  const commit = await repository.commit(ONE);
  await source().probe(commit, sourceContext());
  expect(places).toEqual(['127.0.0.1 for 120000', 'released']);
  const context = sourceContext();
  await source().fetch(
    async () => ({ format: 'registry-list', rowCount: 1, nextCursor: undefined }),
    context,
  );
  expect(places).toHaveLength(2 * (1 + context.upstream.requests));
  await expect(source({ branch: 'gone' }).probe(commit, sourceContext())).rejects.toThrow();
  expect(places.at(-1)).toBe('released');
});

test('an exhausted budget ends the attempt, with the time of the next one', async () => {
  const usedUp = new SynclineError('source-rate-limited', 'no place', { retryAfterMs: 40_000 });
  const budgets = { take: () => Promise.reject(usedUp) };
  const { repository, server, source } = await setUp({ git: { budgets } });
  const commit = await repository.commit(ONE);
  expect(await errorOf(source().probe(commit, sourceContext()))).toMatchObject({
    code: 'source-rate-limited',
    retryAfterMs: 40_000,
  });
  expect(server.requests).toEqual([]);
});
