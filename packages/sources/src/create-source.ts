import {
  CONFIGURED_SOURCE_KINDS,
  type ConfiguredSourceKind,
  type RegistryConfig,
  type SourceBlocks,
  type Sources,
  SynclineError,
} from '@syncline/contract';
import { withholdingCredentials } from './credentials/credentials.ts';
import { FileCalls } from './files/file-calls.ts';
import { openApi } from './kinds/api-source.ts';
import { openFile } from './kinds/file-source.ts';
import { openGit } from './kinds/git-source.ts';
import type { Source, SourceTools } from './source.ts';

export type CreateSource = (registry: RegistryConfig) => Source;

export interface SourceDependencies extends Omit<SourceTools, 'calls'> {
  /** How many threads of libuv's pool may read files at once. Default: 3, fewer than the four of Node. */
  readonly fileThreads?: number;
}

/** How each kind of source is read; what its config says lies in `SOURCE_KINDS` of the contract. */
const OPEN: {
  readonly [Kind in ConfiguredSourceKind]: (
    block: SourceBlocks[Kind],
    options: { readonly registry: string; readonly tools: SourceTools },
  ) => Source;
} = { file: openFile, git: openGit, api: openApi };

/** Makes the source that a registry's config asks for. */
export function createSourceFactory({ fileThreads, ...deps }: SourceDependencies): CreateSource {
  const calls = new FileCalls(fileThreads === undefined ? {} : { maxThreads: fileThreads });
  return (registry) => withholdingCredentials(openSource(registry, { ...deps, calls }));
}

function openSource(registry: RegistryConfig, tools: SourceTools): Source {
  const blocks: Sources = registry;
  const open = <Kind extends ConfiguredSourceKind>(kind: Kind): Source[] => {
    const block = blocks[kind];
    return block === undefined ? [] : [OPEN[kind](block, { registry: registry.name, tools })];
  };
  const [source] = CONFIGURED_SOURCE_KINDS.flatMap(open);
  if (source !== undefined) return source;
  throw new SynclineError('config-invalid', `registry ${registry.name} has no source`);
}
