/** What may go wrong with a source, and the expected result. */
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import type { ConfigInput } from '@syncline/contract';
import { TestRepository } from '@syncline/sources/testing';
import { replaceFile } from '../support/config.ts';
import { testLifetime } from '../support/lifetime.ts';
import { runCommand } from '../support/run-command.ts';
import type { AnswerRequest, ScriptedServer } from '../support/scripted-server.ts';
import { temporaryDirectory } from '../support/temporary.ts';

/** A registry, what happens to its source, and the expected result. */
export interface BadSource {
  readonly name: string;
  readonly config: Omit<ConfigInput['registries'][number], 'name'>;
  spoil(): unknown;
  mend(): unknown;
  /** What the run that reads the bad source says. */
  readonly expected: object;
  /** A part of what is served then, if it differs from what was served before. */
  readonly serves?: string;
}

export const server = (name: string, more: object = {}) => ({
  name: `com.example/${name}`,
  version: '1.0.0',
  description: 'A server',
  ...more,
});
const GOOD_SERVERS = ['a', 'b', 'c', 'd', 'e'].map((name) => server(name));
const listOf = (...servers: readonly unknown[]) =>
  JSON.stringify({ servers: servers.map((it) => ({ server: it })) });
export const GOOD = listOf(...GOOD_SERVERS);
/** The good list with one more row, given as JSON text. */
export const goodAnd = (row: string) => GOOD.replace(/\]\}$/, `,{"server":${row}}]}`);

const failed = (code: string) => ({ outcome: 'failed', error: { code } });
const published = { outcome: 'published', quarantined: { count: 0 } };
const oneLess = { outcome: 'unchanged', quarantined: { count: 1 } };

export const body =
  (content: string | Uint8Array, headers: Record<string, string> = {}): AnswerRequest =>
  (response) =>
    response.writeHead(200, headers).end(content);
const status =
  (code: number, headers: Record<string, string> = {}): AnswerRequest =>
  (response) =>
    response.writeHead(code, headers).end('no');
const silence: AnswerRequest = () => {};
export const goodBody = body(GOOD, { 'content-type': 'application/json' });

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const go = () => {
      response.off('drain', go).off('close', go);
      resolve();
    };
    response.on('drain', go).on('close', go);
  });
}

/** Sends the same text again and again until the reader goes away. */
const endless =
  (chunk: string | Uint8Array, pauseMs: number): AnswerRequest =>
  async (response) => {
    response.writeHead(200).write('{"servers":[');
    while (!response.destroyed) {
      if (!response.write(chunk)) await drained(response);
      await sleep(pauseMs);
    }
  };
const brokenOff: AnswerRequest = (response) => {
  response.writeHead(200, { 'content-length': GOOD.length });
  response.write(GOOD.slice(0, 100), () => response.destroy());
};
const inALoop: AnswerRequest = (response, { url = '' }) =>
  response.writeHead(302, { location: url.endsWith('/1') ? url.slice(0, -2) : `${url}/1` }).end();
const GZIP_BOMB = gzipSync(Buffer.alloc(100_000_000, ' '));

const URL_CASES: Readonly<
  Record<string, { bad: AnswerRequest; expected: object; serves?: string; timeout?: string }>
> = {
  'status-404': { bad: status(404), expected: failed('source-http-status') },
  'status-500': { bad: status(500), expected: failed('source-http-status') },
  silent: { bad: silence, expected: failed('source-timeout'), timeout: '1s' },
  dripping: { bad: endless(' ', 100), expected: failed('source-timeout'), timeout: '1s' },
  'redirect-loop': { bad: inALoop, expected: failed('source-redirect-refused') },
  'to-metadata': {
    bad: status(302, { location: 'http://169.254.169.254/latest/meta-data/' }),
    expected: failed('source-address-refused'),
  },
  'broken-off': { bad: brokenOff, expected: failed('source-unreachable') },
  'gzip-bomb': {
    bad: body(GZIP_BOMB, { 'content-encoding': 'gzip' }),
    expected: failed('source-too-large'),
  },
  html: { bad: body('<!doctype html><p>Sign in'), expected: failed('source-not-json') },
  truncated: { bad: body(GOOD.slice(0, -9)), expected: failed('source-not-json') },
  utf16: {
    bad: body(Buffer.from(`\ufeff${GOOD}`, 'utf16le')),
    expected: failed('source-not-json'),
  },
  'byte-order-mark': { bad: body(`\ufeff${GOOD}`), expected: { outcome: 'unchanged' } },
  'an-error': { bad: body('{"error":"x"}'), expected: failed('source-not-a-registry') },
  deep: { bad: body('['.repeat(10_000)), expected: failed('source-too-deep') },
  empty: { bad: body(listOf()), expected: { outcome: 'held' } },
  shrunk: { bad: body(listOf(server('a'))), expected: { outcome: 'held' } },
  nameless: { bad: body(goodAnd('{"version":"1","description":"x"}')), expected: oneLess },
  twice: { bad: body(goodAnd(JSON.stringify(server('a', { title: 'x' })))), expected: oneLess },
  'row-of-10-mb': {
    bad: body(goodAnd(JSON.stringify(server('big', { x: 'x'.repeat(10_000_000) })))),
    expected: oneLess,
  },
  proto: {
    bad: body(
      goodAnd('{"name":"x/y","version":"1","description":"d","__proto__":{"version":"2"}}'),
    ),
    expected: published,
    serves: '"__proto__":{"version":"2"}',
  },
  surrogates: {
    bad: body(goodAnd('{"name":"x/y","version":"1","description":"half \\ud800"}')),
    expected: published,
    serves: '"description":"half \\ud800"',
  },
};

export function urlCases(upstream: ScriptedServer): BadSource[] {
  for (const name of [...Object.keys(URL_CASES).map((name) => `url-${name}`), 'api-endless']) {
    upstream.answer(name, goodBody);
  }
  const cases = Object.entries(URL_CASES).map(
    ([name, { bad, timeout = '30s', ...expected }]): BadSource => ({
      name: `url-${name}`,
      config: { file: { url: `${upstream.url}/url-${name}`, timeout } },
      spoil: () => upstream.answer(`url-${name}`, bad),
      mend: () => upstream.answer(`url-${name}`, goodBody),
      ...expected,
    }),
  );
  const api: BadSource = {
    name: 'api-endless',
    config: { api: { endpoint: `${upstream.url}/api-endless` } },
    spoil: () => upstream.answer('api-endless', endless(Buffer.alloc(256 * 1024, ' '), 0)),
    mend: () => upstream.answer('api-endless', goodBody),
    expected: failed('source-too-large'),
  };
  return [...cases, api];
}

export async function fileCases(): Promise<BadSource[]> {
  const directory = await temporaryDirectory();
  const fileCase = async (
    name: string,
    spoil: (file: string) => unknown,
    code: string,
  ): Promise<BadSource> => {
    const file = path.join(directory, name);
    await writeFile(file, GOOD);
    return {
      name: `file-${name}`,
      config: { file: { path: file } },
      spoil: async () => {
        await rm(file);
        await spoil(file);
      },
      mend: async () => {
        await rm(file, { recursive: true, force: true });
        await replaceFile(file, GOOD);
      },
      expected: failed(code),
    };
  };
  return Promise.all([
    fileCase('missing', () => {}, 'source-file-missing'),
    fileCase('directory', (file) => mkdir(file), 'source-file-unreadable'),
    fileCase(
      'pipe',
      (file) => runCommand('mkfifo', [file], { directory }),
      'source-file-unreadable',
    ),
    fileCase('half', (file) => writeFile(file, GOOD.slice(0, 200)), 'source-not-json'),
  ]);
}

type GitStep = (repository: TestRepository) => Promise<unknown>;
const GIT_CASES: Readonly<
  Record<string, { bad: GitStep; mend?: GitStep; expected: object; serves?: string }>
> = {
  'branch-gone': {
    bad: (repository) => repository.git('branch', '-m', 'main', 'other'),
    mend: (repository) => repository.git('branch', '-m', 'other', 'main'),
    expected: failed('source-ref-missing'),
  },
  gone: {
    bad: ({ directory }) => rename(directory, `${directory}.away`),
    mend: ({ directory }) => rename(`${directory}.away`, directory),
    expected: failed('source-unreachable'),
  },
  rewritten: {
    bad: (repository) =>
      repository.rewrite({ 'registry.json': GOOD.replace('A server', 'Another') }),
    expected: published,
    serves: 'Another',
  },
  submodule: {
    bad: async (repository) => {
      await repository.git('rm', '-q', 'registry.json');
      const module = `160000,${await repository.git('rev-parse', 'HEAD')},registry.json`;
      await repository.git('update-index', '--add', '--cacheinfo', module);
      await repository.git('commit', '-q', '-m', 'submodule');
    },
    expected: failed('source-path-refused'),
  },
  'path-gone': {
    bad: (repository) => repository.commit({ 'registry.json': undefined, 'x.json': '[]' }),
    expected: failed('source-path-missing'),
  },
  'link-out': {
    bad: (repository) => repository.commit({ 'registry.json': { link: '../../etc/passwd' } }),
    expected: failed('source-path-refused'),
  },
  'directory-for-file': {
    bad: (repository) =>
      repository.commit({ 'registry.json': undefined, 'registry.json/README.md': 'x' }),
    expected: failed('source-path-missing'),
  },
  'not-json': {
    bad: (repository) => repository.commit({ 'registry.json': '<<<<<<< HEAD\n{}' }),
    expected: failed('source-not-json'),
  },
};

export function gitCases(): Promise<BadSource[]> {
  return Promise.all(
    Object.entries(GIT_CASES).map(
      async ([name, { bad, mend, ...expected }]): Promise<BadSource> => {
        const repository = await TestRepository.create();
        testLifetime.defer(() => repository[Symbol.asyncDispose]());
        const good = await repository.commit({ 'registry.json': GOOD });
        return {
          name: `git-${name}`,
          config: { git: { repository: repository.directory, branch: 'main' } },
          spoil: () => bad(repository),
          mend: () =>
            mend === undefined ? repository.git('reset', '-q', '--hard', good) : mend(repository),
          ...expected,
        };
      },
    ),
  );
}
