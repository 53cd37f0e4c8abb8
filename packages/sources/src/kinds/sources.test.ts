import { mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, onTestFinished, vi } from 'vitest';
import { HttpClient } from '../http/http.ts';
import { DeltaUpstream, listOf, type TestRow } from '../testing/delta-source.ts';
import { CREDENTIAL, describeSource } from '../testing/describe-source.ts';
import { gitSource, testGit, testGitServer, testRepository } from '../testing/git/git-harness.ts';
import { localGuard } from '../testing/local-guard.ts';
import { startLocalServer } from '../testing/local-server.ts';
import { ApiSource } from './api-source.ts';
import { FileCalls, FileSource } from './file-source.ts';
import { UrlSource } from './url-source.ts';

// Each test of git starts about ten processes, which is slow on a busy machine.
vi.setConfig({ testTimeout: 30_000 });

async function temporaryPath(name: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'syncline-source-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  return join(directory, name);
}

function httpOptions(url: string) {
  const http = new HttpClient({ userAgent: () => undefined, guard: localGuard() });
  onTestFinished(() => http.close());
  return { url, endpoint: url, timeoutMs: 5_000, http };
}

/**
 * Redirects to a path that contains the token of the request, and rejects requests to that path. An error that shows
 * the path would leak the token.
 */
function refuseBearer({ url, headers }: IncomingMessage, response: ServerResponse): void {
  const [, token] = headers.authorization?.split(' ') ?? [];
  if (url?.includes(CREDENTIAL)) response.writeHead(403).end();
  else response.writeHead(302, { location: `/${token}` }).end();
}

/** Rejects the request, and repeats its password in the part of the response that git prints. */
function refuseLogin({ headers }: IncomingMessage, response: ServerResponse): void {
  const [, login] = headers.authorization?.split(' ') ?? [];
  if (login === undefined) {
    response.writeHead(401, { 'www-authenticate': 'Basic realm="git"' }).end();
  } else {
    response.writeHead(403, { 'content-type': 'text/plain' }).end(Buffer.from(login, 'base64'));
  }
}

async function refusingHttp() {
  const { url } = await startLocalServer(refuseBearer);
  const tokenFile = await temporaryPath('token');
  await writeFile(tokenFile, CREDENTIAL);
  return { ...httpOptions(url), access: { auth: { tokenFile } } };
}

describeSource('file', {
  hasProbe: true,
  requestsOfChange: 1,
  create: async () => {
    const path = await temporaryPath('registry.json');
    return {
      open: () => new FileSource({ path, calls: new FileCalls() }),
      publish: async (rows) => {
        await writeFile(path, listOf(rows));
        const hourAgoS = Date.now() / 1_000 - 3_600;
        await utimes(path, hourAgoS, hourAgoS);
      },
    };
  },
});

describe.each([
  ['with validators', true],
  ['without validators', false],
])('a server %s', (_, hasTag) => {
  describeSource('url', {
    hasProbe: true,
    requestsOfChange: 1,
    create: async () => {
      let [body, version] = ['', 0];
      const { url } = await startLocalServer((request, response) => {
        const etag = `"${version}"`;
        if (hasTag) response.setHeader('etag', etag);
        const isKnown = request.headers['if-none-match'] === etag;
        response.writeHead(isKnown ? 304 : 200).end(isKnown ? undefined : body);
      });
      const options = httpOptions(url);
      return {
        open: () => new UrlSource(options),
        publish: (rows) => {
          body = listOf(rows).toString();
          version += 1;
        },
      };
    },
    openRefused: async () => new UrlSource(await refusingHttp()),
  });
});

describeSource('api', {
  hasProbe: false,
  requestsOfChange: 2,
  create: async () => {
    let rows: readonly TestRow[] = [];
    const { url } = await startLocalServer((request, response) => {
      const page = Number(new URL(request.url ?? '', 'http://x').searchParams.get('cursor') ?? 0);
      const servers = rows.slice(2 * page, 2 * page + 2).map((server) => ({ server }));
      const metadata = 2 * page + 2 < rows.length ? { nextCursor: String(page + 1) } : {};
      response.end(JSON.stringify({ servers, metadata }));
    });
    const options = httpOptions(url);
    return {
      open: () => new ApiSource(options),
      publish: (published) => {
        rows = published;
      },
    };
  },
  openRefused: async () => new ApiSource(await refusingHttp()),
});

describeSource('git', {
  hasProbe: true,
  // One `ls-remote`, a fetch of the commit, and a fetch of its files.
  requestsOfChange: 3,
  create: async () => {
    const repository = await testRepository();
    const { git } = await testGit();
    return {
      open: () => gitSource(git, { repository: repository.directory }),
      publish: (rows) => repository.commit({ 'registry.json': listOf(rows).toString() }),
    };
  },
  openRefused: async () => {
    const { root } = await testRepository();
    const answer = (request: IncomingMessage, response: ServerResponse) => {
      refuseLogin(request, response);
      return true;
    };
    const { url } = await testGitServer({ root, answer });
    const passwordFile = await temporaryPath('password');
    await writeFile(passwordFile, CREDENTIAL);
    const { git } = await testGit();
    return gitSource(git, {
      repository: `${url}/registry.git`,
      auth: { username: 'mirror', passwordFile },
    });
  },
});

describeSource('with deltas', {
  hasProbe: true,
  requestsOfChange: 2,
  create: async () => new DeltaUpstream(),
});
