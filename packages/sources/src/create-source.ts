import {
  CONFIGURED_SOURCE_KINDS,
  type ConfiguredSourceKind,
  type RegistryConfig,
  type SourceBlocks,
  type Sources,
  SynclineError,
  toSynclineError,
} from '@syncline/contract';
import { openApi } from './kinds/api-source.ts';
import { FileCalls, openFile } from './kinds/file-source.ts';
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

/** Shorter ones keep nobody out, and stand in any text. */
const LEAST_CREDENTIAL_LENGTH = 4;
/** Stands where a credential would. */
const WITHHELD = '[withheld]';

/** The text without any of the credentials: an upstream may send back what it was sent. */
export function withhold(text: string, credentials: ReadonlySet<string>): string {
  let safe = text;
  for (const credential of credentials) {
    if (credential.length < LEAST_CREDENTIAL_LENGTH) continue;
    safe = safe.replaceAll(credential, WITHHELD);
  }
  return safe;
}

/** The same source, whose errors never carry a credential that its run has read. */
export function withholdingCredentials(source: Source): Source {
  return {
    givesDeltas: source.givesDeltas ?? false,
    probe: (known, context) => withholdOnError(context.credentials, source.probe(known, context)),
    fetch: (take, context, options) =>
      withholdOnError(context.credentials, source.fetch(take, context, options)),
  };
}

async function withholdOnError<Result>(
  credentials: ReadonlySet<string>,
  work: Promise<Result>,
): Promise<Result> {
  try {
    return await work;
  } catch (error) {
    throw isTelling(error, credentials) ? safeError(error, credentials) : error;
  }
}

/** Logs show the whole chain of causes, with their stacks. */
function isTelling(error: unknown, credentials: ReadonlySet<string>): boolean {
  if (!(error instanceof Error) || credentials.size === 0) return false;
  const text = `${error.message}${error.stack ?? ''}`;
  return withhold(text, credentials) !== text || isTelling(error.cause, credentials);
}

function safeError(error: unknown, credentials: ReadonlySet<string>): SynclineError {
  const { code, message, retryAfterMs, status } = toSynclineError(error);
  return new SynclineError(code, withhold(message, credentials), {
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...(status === undefined ? {} : { status }),
  });
}
