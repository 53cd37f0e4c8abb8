import path from 'node:path';
import type { ConfigInput } from '@syncline/contract';
import { startLoop } from '@syncline/runtime';
import { TestRepository } from '@syncline/sources/testing';
import type { Lifetime } from '../support/lifetime.ts';
import { writeRegistryFile } from '../support/registry-file.ts';
import { generateRows } from '../support/rows/generate.ts';
import type { OfficialRow } from '../support/rows/row.ts';
import { startUpstream } from '../support/upstream.ts';
import type { RegistryInput } from './scenario.ts';

/** The interval of each honest registry. */
export const HONEST_INTERVAL_MS = 5_000;
/** The name of the large honest registry. Clients of scenarios read it. */
const LIBRARY = 'library';
/** One page of an upstream. */
const ROW_COUNT = 95;
/** Faster than the interval, so that each tick must read its source again. */
const CHANGE_EVERY_MS = 2_000;

/** The registries beside the attacked ones, with sources that change all the time. */
export interface HonestRegistries {
  readonly names: readonly string[];
  readonly config: ConfigInput['registries'];
}

/** Starts six honest sources of all kinds: three apis, a file behind a URL, a local file and a repository. */
export async function startHonestRegistries(lifetime: Lifetime): Promise<HonestRegistries> {
  const rows = generateRows({ count: ROW_COUNT, seed: 13 });
  const upstream = await startUpstream({ rows, recording: false, lifetime });
  const file = await writeRegistryFile(rows, lifetime);
  const repository = await TestRepository.create();
  lifetime.defer(() => repository[Symbol.asyncDispose]());
  await repository.commit({ 'registry.json': JSON.stringify({ servers: rows }) });
  let state = 0;
  const changes = startLoop({
    everyMs: CHANGE_EVERY_MS,
    pass: async () => {
      state += 1;
      const changed = inState(rows, `state ${state}`);
      upstream.replace(changed);
      await file.replace(changed);
    },
    onError: (error) => {
      throw error;
    },
  });
  lifetime.defer(() => changes.stop());

  const syncPolicy = { interval: `${HONEST_INTERVAL_MS / 1_000}s` };
  const sources: readonly Omit<RegistryInput, 'name'>[] = [
    { api: { endpoint: upstream.url } },
    { api: { endpoint: upstream.url } },
    { api: { endpoint: upstream.url } },
    { file: { url: `${upstream.url}/v0.1/servers?limit=100` } },
    { file: { path: file.path } },
    { git: { repository: repository.directory } },
  ];
  const config = sources.map((source, index) => ({
    name: `honest-${index + 1}`,
    ...source,
    syncPolicy,
  }));
  return { config, names: config.map(({ name }) => name) };
}

/** Writes a large honest registry, which does not change. */
export async function writeLibrary(count: number, lifetime: Lifetime): Promise<RegistryInput> {
  const file = await writeRegistryFile(generateRows({ count, seed: 17 }), lifetime);
  return { name: LIBRARY, file: { path: path.resolve(file.path) } };
}

function inState(rows: readonly OfficialRow[], description: string): OfficialRow[] {
  return rows.map((row) => ({ ...row, server: { ...row.server, description } }));
}
