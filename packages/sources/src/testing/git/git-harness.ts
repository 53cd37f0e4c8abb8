import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { configSchema } from '@syncline/contract';
import { onTestFinished } from 'vitest';
import { Git, type GitOptions } from '../../git/git.ts';
import { GitSource } from '../../kinds/git-source.ts';
import { createAddressGuard } from '../../network/address-guard.ts';
import type { TakeBody } from '../../source.ts';
import { sourceContext } from '../source-context.ts';
import { type GitHttpServerOptions, startGitHttpServer } from './git-http-server.ts';
import { SEARCH_PATH } from './search-path.ts';
import { TestRepository } from './test-repository.ts';

/** Creates a `Git` with its own data directory. Both are disposed of after the test. */
export async function testGit(options: Partial<GitOptions> = {}) {
  const dataDir = await mkdtemp(join(tmpdir(), 'syncline-git-'));
  onTestFinished(() => rm(dataDir, { recursive: true, force: true }));
  const git = new Git({
    dataDir,
    searchPath: SEARCH_PATH,
    guard: createAddressGuard({ allow: () => ['127.0.0.0/8'] }),
    ...options,
  });
  return { git, dataDir, clones: join(dataDir, 'git', 'clones') };
}

export async function testRepository(
  ...options: Parameters<typeof TestRepository.create>
): Promise<TestRepository> {
  const repository = await TestRepository.create(...options);
  onTestFinished(() => repository[Symbol.asyncDispose]());
  return repository;
}

export async function testGitServer(options: GitHttpServerOptions) {
  const server = await startGitHttpServer(options);
  onTestFinished(() => server.close());
  return server;
}

/** Returns the source of a run for a config. */
export function gitSource(
  git: Git,
  config: { repository: string; [key: string]: unknown },
): GitSource {
  const [registry] = configSchema.parse({
    registries: [{ name: 'internal', git: config }],
  }).registries;
  if (registry?.git === undefined) throw new Error('expected a registry in a repository');
  return new GitSource({ registry: registry.name, config: registry.git, git });
}

/** Returns the files that a new run fetches. */
export async function fetchAll(source: GitSource, context = sourceContext()) {
  const files: Record<string, string> = {};
  const syntaxes: (string | undefined)[] = [];
  const take: TakeBody = async (body, origin) => {
    files[origin?.name ?? ''] = Buffer.from(body).toString();
    syntaxes.push(origin?.syntax);
    return { format: 'registry-list', rowCount: 1, nextCursor: undefined };
  };
  const { revision } = await source.fetch(take, context);
  return { files, syntaxes, revision, upstream: context.upstream, reports: context.reports };
}
