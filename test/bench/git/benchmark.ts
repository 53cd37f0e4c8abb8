import path from 'node:path';
import type { ConfigInput } from '@syncline/contract';
import { type GitHttpServer, startGitHttpServer, TestRepository } from '@syncline/sources/testing';
import type { Lifetime } from '../../support/lifetime.ts';
import { startRedisServer } from '../../support/redis-server.ts';
import { temporaryDirectory } from '../../support/temporary.ts';
import type { Benchmark, Figure } from '../benchmark.ts';
import { median } from '../measure/statistics.ts';
import { type BenchedSyncline, benchSyncline } from '../measure/syncline.ts';
import { type CountedGit, countedGit } from './counted-git.ts';

const FILES = 1_000;
const ROUNDS = 15;

interface Cost {
  readonly processes: number;
  readonly sentBytes: number;
  readonly tookMs: number;
}

/** What it costs to find that a repository has not changed. */
export const git: Benchmark = {
  name: 'git',
  about: `a tick of an unchanged registry of ${FILES} files in a repository behind http, against git clone --depth 1`,
  run: async ({ lifetime, log }) => {
    const repository = await TestRepository.create();
    lifetime.defer(() => repository[Symbol.asyncDispose]());
    await repository.commit(serverFiles(FILES));
    const server = await startGitHttpServer({ root: repository.root });
    lifetime.defer(() => server.close());
    const url = `${server.url}/${repository.name}`;
    const program = await countedGit(lifetime);
    const syncline = await startSyncline(url, program, lifetime);
    const measure = costOf(server, program);

    const first = await measure(() => syncline.run('mirror'));
    const { versionCount, phase, message } = await syncline.status('mirror');
    if (versionCount !== FILES) throw new Error(`${phase}: ${message}; got ${versionCount} rows`);
    log(`the first sync: ${first.processes} processes of git, ${first.sentBytes} bytes`);

    const clones = await temporaryDirectory(lifetime);
    const baseline: Cost[] = [];
    const ticks: Cost[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      const target = path.join(clones, String(round));
      const args = ['clone', '--quiet', '--depth', '1', url, target];
      baseline.push(await measure(() => program.run(args)));
      const callsBefore = (await program.calls()).length;
      ticks.push(await measure(() => syncline.run('mirror')));
      const calls = (await program.calls()).slice(callsBefore);
      if (calls.length !== 1 || calls[0]?.includes('ls-remote') !== true) {
        throw new Error(`expected one ls-remote, got ${JSON.stringify(calls)}`);
      }
    }
    return figuresOf(baseline, ticks);
  },
};

function figuresOf(baseline: readonly Cost[], ticks: readonly Cost[]): Figure[] {
  const compare = (of: (cost: Cost) => number) => ({
    baseline: median(baseline.map(of)),
    syncline: median(ticks.map(of)),
  });
  return [
    { what: 'processes of git', unit: 'processes', ...compare(({ processes }) => processes) },
    { what: 'sent by the server', unit: 'KB', ...compare(({ sentBytes }) => sentBytes / 1e3) },
    { what: 'time', unit: 'ms', ...compare(({ tookMs }) => tookMs) },
  ];
}

function costOf(server: GitHttpServer, program: CountedGit) {
  return async (work: () => Promise<unknown>): Promise<Cost> => {
    const processesBefore = await program.startedProcesses();
    const sentBefore = server.sentBytes();
    const begunAt = performance.now();
    await work();
    const tookMs = performance.now() - begunAt;
    const processes = (await program.startedProcesses()) - processesBefore;
    return { processes, sentBytes: server.sentBytes() - sentBefore, tookMs };
  };
}

async function startSyncline(
  repository: string,
  program: CountedGit,
  lifetime: Lifetime,
): Promise<BenchedSyncline> {
  const redis = await startRedisServer({ lifetime });
  const config: ConfigInput = {
    network: { allow: ['127.0.0.1/32'] },
    registries: [{ name: 'mirror', git: { repository, path: 'servers' } }],
  };
  const syncline = await benchSyncline(redis, config, lifetime);
  const dataDir = await temporaryDirectory(lifetime);
  await syncline.startWorker({ env: { PATH: program.searchPath, SYNCLINE_DATA_DIR: dataDir } });
  return syncline;
}

function serverFiles(count: number): Record<string, string> {
  const names = Array.from({ length: count }, (_, index) => String(index).padStart(5, '0'));
  return Object.fromEntries(
    names.map((name) => {
      const server = { name: `com.example/${name}`, description: 'A server', version: '1.0.0' };
      return [`servers/${name}.json`, JSON.stringify({ servers: [{ server }] }, null, 2)];
    }),
  );
}
